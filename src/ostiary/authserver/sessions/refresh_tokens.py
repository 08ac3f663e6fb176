"""The refresh tokens of a session: each is used once, and gives its successor. RFC 6749 6, RFC 9700 4.14."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ostiary.authserver.sessions.session import Session, read_row
from ostiary.oauth.server.refresh_rotation import RefreshState
from ostiary.storage.expiry import Expiry
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import refresh_tokens, token_sessions
from ostiary.storage.store import Store, digest
from ostiary.unseen import Unseen

EXPIRY = Expiry(refresh_tokens.c.expires_at)

_row = refresh_tokens.c
_successor = refresh_tokens.alias("successor")
_INSERT = Prepared(insert(refresh_tokens))
_FIND = Prepared(
    select(
        token_sessions,
        _row.token_hash,
        _row.issued_at,
        _row.expires_at.label("token_expires_at"),
        _row.spent_at,
        _row.successor_hash,
        _row.sealed.label("token_sealed"),
        _successor.c.spent_at.label("successor_spent_at"),
    )
    .join_from(refresh_tokens, token_sessions, token_sessions.c.tsid_hash == _row.tsid_hash)
    .outerjoin(_successor, _successor.c.token_hash == _row.successor_hash)
    .where(_row.token_hash == bindparam("which"))
)
_SPEND = Prepared(
    update(refresh_tokens)
    .where(_row.token_hash == bindparam("which"), _row.spent_at.is_(None))
    .values(spent_at=bindparam("at"), successor_hash=bindparam("next_hash"), sealed=bindparam("next_sealed"))
)


class Successor(Unseen, frozen=True):
    """What a spent token gave. Only ever sealed."""

    token: str


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token of ours, with its session."""

    token_hash: str
    session: Session
    issued_at: float
    expires_at: float
    spent_at: float | None
    successor_hash: str | None
    successor_spent: bool
    sealed: bytes = field(repr=False)
    """Of a spent one, the successor."""

    @property
    def state(self) -> RefreshState:
        """What the rule decides on."""
        return RefreshState(
            self.expires_at, self.spent_at, self.successor_spent, self.session.ended_at is not None
        )


def issue(connection: Connection, store: Store, tsid_hash: str, *, now: float, expires_at: float) -> str:
    """The first token of a session."""
    token = secrets.token_urlsafe(32)
    _insert(connection, store, token, tsid_hash, now, expires_at)
    return token


def find(connection: Connection, store: Store, token: str) -> StoredRefreshToken | None:
    """The token that somebody presents; None when we never gave it, or forgot it long ago.

    Raises SealedOtherwise.
    """
    row = _FIND.first(connection, {"which": digest(token)})
    if row is None:
        return None
    found = StoredRefreshToken(
        row.token_hash,
        read_row(row, store),
        row.issued_at,
        row.token_expires_at,
        row.spent_at,
        row.successor_hash,
        row.successor_spent_at is not None,
        row.token_sealed,
    )
    store.check_row(found.sealed, table=refresh_tokens, row=_covered(found))
    return found


def rotate(
    connection: Connection, store: Store, presented: StoredRefreshToken, *, now: float, expires_at: float
) -> str | None:
    """Spend it and give its successor; None when somebody else did so just now."""
    token = secrets.token_urlsafe(32)
    spent = _covered(presented) | {"spent_at": now, "successor_hash": digest(token)}
    change = {
        "which": presented.token_hash,
        "at": now,
        "next_hash": spent["successor_hash"],
        "next_sealed": store.seal(Successor(token), table=refresh_tokens, row=spent),
    }
    if _SPEND.changed(connection, change) == 0:
        return None
    _insert(connection, store, token, presented.session.tsid_hash, now, expires_at)
    return token


def given_successor(store: Store, presented: StoredRefreshToken) -> str:
    """The successor of a spent token, once more."""
    return store.open(presented.sealed, Successor, table=refresh_tokens, row=_covered(presented)).token


def _insert(
    connection: Connection, store: Store, token: str, tsid_hash: str, now: float, expires_at: float
) -> None:
    row: dict[str, Any] = {
        "token_hash": digest(token),
        "tsid_hash": tsid_hash,
        "issued_at": now,
        "expires_at": expires_at,
        "spent_at": None,
        "successor_hash": None,
    }
    _INSERT.run(connection, row | {"sealed": store.seal_row(refresh_tokens, row)})


def _covered(token: StoredRefreshToken) -> dict[str, Any]:
    return {
        "token_hash": token.token_hash,
        "tsid_hash": token.session.tsid_hash,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "spent_at": token.spent_at,
        "successor_hash": token.successor_hash,
    }
