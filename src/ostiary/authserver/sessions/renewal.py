"""A session is used on: its refresh token is rotated, and its end moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, bindparam, update

from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.creation import ends_at
from ostiary.authserver.sessions.refresh_tokens import StoredRefreshToken
from ostiary.authserver.sessions.session import Session
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store

_row = token_sessions.c
_USE = Prepared(
    update(token_sessions)
    .where(_row.tsid_hash == bindparam("which"), _row.ended_at.is_(None))
    .values(used_at=bindparam("at"), expires_at=bindparam("until"))
)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The session as it is from now on."""

    session: Session
    refresh_token: str = field(repr=False)


def renew(
    connection: Connection,
    store: Store,
    presented: StoredRefreshToken,
    life: TokenSettings,
    *,
    now: float,
) -> Renewed | None:
    """Rotate the token, and keep the session; None when somebody else rotated it just now.

    Raises InvalidGrant, which undoes all of it, when the session ended meanwhile.
    """
    session = presented.session
    until = ends_at(life, created_at=session.created_at, now=now)
    token = refresh_tokens.rotate(connection, store, presented, now=now, expires_at=until)
    if token is None:
        return None
    used = {"which": session.tsid_hash, "at": now, "until": until}
    if _USE.changed(connection, used) == 0:
        raise InvalidGrant("the refresh token was revoked")
    return Renewed(msgspec.structs.replace(session, expires_at=until), token)
