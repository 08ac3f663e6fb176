"""The session of somebody who did not come here themselves: their company's IdP vouched for them.

It has a `tsid`, as one that began with a sign-in has: the person sees it among their sessions and can end it,
revoking one token ends all, and its owner can use the accounts that the person connected. It has no refresh
token; the next assertion lets it go on, so that a client that brings one every quarter of an hour is one
session and not a hundred a day, and the person's accounts stay connected as long as the client is used.

A person who ends it ends what there is. Whether their company vouches again is for the company to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.resources import Target
from ostiary.authserver.sessions import users
from ostiary.authserver.sessions.creation import NewSession, create_session, ends_at
from ostiary.authserver.sessions.session import Session, read_row, seal_session
from ostiary.authserver.upstream_account import Identity
from ostiary.oauth.server.client import REFRESH_TOKEN, Client
from ostiary.oauth.server.scope import write_scope
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store

MOST_LOOKED_AT = 20
"""Live sessions of one person, client, resource and scope: each sign-in may have left one."""

_row = token_sessions.c
_LIVE = (
    select(token_sessions)
    .where(
        _row.user_id == bindparam("user"),
        _row.client_id == bindparam("client"),
        _row.resource == bindparam("resource"),
        _row.owner == bindparam("whose"),
        _row.scopes == bindparam("scope"),
        _row.ended_at.is_(None),
        _row.expires_at > bindparam("now"),
    )
    .order_by(_row.created_at.desc())
    .limit(MOST_LOOKED_AT)
)
_GO_ON = (
    update(token_sessions)
    .where(_row.tsid_hash == bindparam("which"), _row.ended_at.is_(None))
    .values(
        sealed=bindparam("secret"),
        used_at=bindparam("now"),
        revalidated_at=bindparam("now"),
        expires_at=bindparam("until"),
    )
    .returning(_row.tsid_hash)
)


@dataclass(frozen=True, slots=True)
class VouchedFor:
    """For whom an issuer vouches, and what they get."""

    person: Identity
    client: Client
    target: Target
    scopes: tuple[str, ...]
    auth_time: int | None


@dataclass(frozen=True, slots=True)
class Vouching:
    """Their session."""

    session: Session
    is_new: bool


def begin_or_go_on(
    connection: Connection, store: Store, vouched: VouchedFor, life: TokenSettings, *, now: float
) -> Vouching:
    """Part of the transaction that spends the assertion. now: seconds since the epoch."""
    earlier = _earlier(connection, store, vouched, now)
    if earlier is not None:
        session = _go_on(connection, store, earlier, vouched, life, now)
        if session is not None:
            return Vouching(session, is_new=False)
    session = _go_on(connection, store, _begun(connection, store, vouched, life, now), vouched, life, now)
    assert session is not None  # noqa: S101 - nobody else knows of it yet
    return Vouching(session, is_new=True)


def _earlier(connection: Connection, store: Store, vouched: VouchedFor, now: float) -> Session | None:
    whose = {
        "user": users.find_or_create_user(connection, store, vouched.person, now=now),
        "client": vouched.client.client_id,
        "resource": str(vouched.target.resource),
        "whose": vouched.target.settings.owner_identity,
        "scope": write_scope(vouched.scopes),
        "now": now,
    }
    sessions = (read_row(row, store) for row in connection.execute(_LIVE, whose).all())
    return next((one for one in sessions if one.secret.vouched_by == vouched.person.issuer), None)


def _begun(
    connection: Connection, store: Store, vouched: VouchedFor, life: TokenSettings, now: float
) -> Session:
    client = vouched.client
    grant = AuthorizationGrant(
        client_id=client.client_id,
        identity=vouched.person,
        resource=str(vouched.target.resource),
        owner=vouched.target.settings.owner_identity,
        scopes=vouched.scopes,
        auth_time=vouched.auth_time or int(now),
    )
    without_refresh = replace(client, grant_types=client.grant_types - {REFRESH_TOKEN})
    new = NewSession(grant, without_refresh, vouched.target, confirmation=None)
    return create_session(connection, store, new, life, now=now).session


def _go_on(
    connection: Connection,
    store: Store,
    session: Session,
    vouched: VouchedFor,
    life: TokenSettings,
    now: float,
) -> Session | None:
    """The session as it is now; None when it ended just now."""
    secret = msgspec.structs.replace(
        session.secret,
        identity=vouched.person,
        auth_time=vouched.auth_time or int(now),
        vouched_by=vouched.person.issuer,
    )
    until = ends_at(life, created_at=session.created_at, now=now)
    gone_on = msgspec.structs.replace(session, secret=secret, revalidated_at=now, expires_at=until)
    change = {
        "which": session.tsid_hash,
        "secret": seal_session(gone_on, store)["sealed"],
        "now": now,
        "until": until,
    }
    return None if connection.execute(_GO_ON, change).first() is None else gone_on
