"""A session begins: what a person agreed to becomes theirs, in the transaction that redeems it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, String, bindparam, insert, select

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.authorization_grant import Authorized
from ostiary.authserver.clients.registration_limit import let_in
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.resources import Target
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions import refresh_tokens, users
from ostiary.authserver.sessions.account_replacement import Replaced, disconnect_replaced, replace_others
from ostiary.authserver.sessions.session import Session, SessionSecret
from ostiary.authserver.upstream_account import Connected
from ostiary.authserver.upstream_grants.upsert import keep
from ostiary.oauth.server.client import REFRESH_TOKEN, Client
from ostiary.oauth.server.scope import write_scope
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import session_grants, token_sessions, upstream_grants
from ostiary.storage.store import Store, digest

_grant = upstream_grants.c
_INSERT = Prepared(insert(token_sessions))
_POINT_TO = Prepared(insert(session_grants))
_POINT_TO_EARLIER = insert(session_grants).from_select(
    ["tsid_hash", "grant_id"],
    select(bindparam("session", type_=String), _grant.id).where(
        _grant.user_id == bindparam("user"),
        _grant.owner == bindparam("owner"),
        _grant.idp.in_(bindparam("idps", expanding=True)),
    ),
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Whose session begins, and how. `tsid` is chosen before, since what gives it is marked with it."""

    authorized: Authorized
    client: Client
    target: Target
    confirmation: Mapping[str, Any] | None
    tsid: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def tsid_hash(self) -> str:
        """How the store knows it."""
        return digest(self.tsid)


@dataclass(frozen=True, slots=True)
class Started:
    """A new session."""

    session: Session
    refresh_token: str | None = field(repr=False)
    """None for a client that is not registered for the grant. Nobody has to ask for `offline_access`: how
    long a session lives is for us to say, and consent names it (MCP authorization, "Refresh Tokens")."""
    connected: Sequence[Connected]
    """The accounts that came with it."""
    replaced: Sequence[Replaced]
    """Those whose place they took, to be disconnected."""


def start(
    connection: Connection, store: Store, new: Beginning, life: TokenSettings, *, now: float
) -> Started:
    """The person, their accounts, the session and its first refresh token. now: seconds since the epoch."""
    authorized, tsid_hash = new.authorized, new.tsid_hash
    user_id = users.sign_in(connection, store, authorized.identity, now=now)
    grant_ids = [
        keep(connection, store, user_id=user_id, owner=authorized.owner, connected=connected, now=now)
        for connected in authorized.connected
    ]
    replaced = [
        one
        for connected, grant_id in zip(authorized.connected, grant_ids, strict=True)
        if connected.idp in authorized.replaced
        for one in replace_others(connection, grant_id)
    ]
    renewable = new.client.may_use(REFRESH_TOKEN)
    session = Session(
        tsid_hash,
        user_id,
        authorized.client_id,
        authorized.owner,
        authorized.resource,
        authorized.scopes,
        _secret(new, grant_ids),
        created_at=now,
        revalidated_at=now,
        expires_at=ends_at(life, created_at=now, now=now, renewable=renewable),
    )
    _INSERT.run(connection, _row(session, store, now))
    let_in(connection, authorized.client_id, now=now)
    _point_to_grants(connection, session, new, grant_ids)
    token = None
    if renewable:
        token = refresh_tokens.issue(connection, tsid_hash, now=now, expires_at=session.expires_at)
    return Started(session, token, authorized.connected, replaced)


def after_start(parts: Parts, started: Started, *, address: str) -> None:
    """After the commit: write it down, and disconnect the accounts whose place others took."""
    session = started.session
    parts.audit.write(AuditEvent.SESSION_STARTED, **session.told, address=address)
    for one in started.connected:
        parts.audit.write(
            AuditEvent.ACCOUNT_CONNECTED, **session.told, idp=one.idp, account=one.account, address=address
        )
    if started.replaced:
        disconnecting = disconnect_replaced(
            parts, started.replaced, subject=session.user_id, owner=session.owner
        )
        parts.background.start(disconnecting, what="disconnecting replaced accounts")


def ends_at(life: TokenSettings, *, created_at: float, now: float, renewable: bool = True) -> float:
    """When a session ends that is used now: with its token, and never later than its person allowed."""
    unused = life.refresh if renewable else life.access
    return min(now + unused.total_seconds(), created_at + life.session.total_seconds())


def _secret(new: Beginning, grant_ids: Sequence[str]) -> SessionSecret:
    authorized = new.authorized
    bound = new.client.is_public and new.confirmation is not None
    return SessionSecret(
        new.tsid,
        authorized.identity,
        authorized.auth_time,
        idp=authorized.connected[0].idp if authorized.connected else None,
        grant_id=grant_ids[0] if grant_ids else None,
        confirmation=dict(new.confirmation or {}) if bound else None,
    )


def _row(session: Session, store: Store, now: float) -> dict[str, Any]:
    return {
        "tsid_hash": session.tsid_hash,
        "user_id": session.user_id,
        "client_id": session.client_id,
        "owner": session.owner,
        "resource": session.resource,
        "scopes": write_scope(session.scopes),
        "sealed": store.seal(session.secret, table=token_sessions, key=session.tsid_hash),
        "created_at": now,
        "used_at": now,
        "revalidated_at": now,
        "expires_at": session.expires_at,
    }


def _point_to_grants(
    connection: Connection, session: Session, new: Beginning, grant_ids: Sequence[str]
) -> None:
    """The accounts of this walk, and those that the person connected for this resource before."""
    for grant_id in dict.fromkeys(grant_ids):
        _POINT_TO.run(connection, {"tsid_hash": session.tsid_hash, "grant_id": grant_id})
    walked = {connected.idp for connected in new.authorized.connected}
    if earlier := [idp for idp in new.target.settings.uses if idp not in walked]:
        whose = {"session": session.tsid_hash, "user": session.user_id, "owner": session.owner}
        connection.execute(_POINT_TO_EARLIER, whose | {"idps": earlier})
