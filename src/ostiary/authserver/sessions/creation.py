"""A session begins: what a person agreed to becomes theirs, in the transaction that redeems it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, insert

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.background import Background
from ostiary.authserver.clients.registration_limit import let_in
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.resources import Target
from ostiary.authserver.sessions import refresh_tokens, users
from ostiary.authserver.sessions.session import Session, SessionSecret, seal_session
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants import session_grants
from ostiary.authserver.upstream_grants.account_replacement import (
    Replaced,
    disconnect_replaced,
    replace_others,
)
from ostiary.authserver.upstream_grants.disconnect import Disconnector
from ostiary.authserver.upstream_grants.upsert import upsert
from ostiary.oauth.server.client import REFRESH_TOKEN, Client
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store, digest
from ostiary.telemetry.audit import Audit
from ostiary.unseen import Unseen

_INSERT = Prepared(insert(token_sessions))


class NewSession(Unseen, frozen=True):
    """Whose session begins, and how. `tsid` is chosen before, since what gives it is marked with it."""

    grant: AuthorizationGrant
    client: Client
    target: Target
    confirmation: Mapping[str, Any] | None
    tsid: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def tsid_hash(self) -> str:
        """How the store knows it."""
        return digest(self.tsid)


class SessionCreated(Unseen, frozen=True):
    """A new session."""

    session: Session
    refresh_token: str | None
    """None for a client that is not registered for the grant. Nobody has to ask for `offline_access`: how
    long a session lives is for us to say, and consent names it (MCP authorization, "Refresh Tokens")."""
    accounts: Sequence[UpstreamAccount]
    """The accounts that came with it."""
    replaced: Sequence[Replaced]
    """Those whose place they took, to be disconnected."""


def create_session(
    connection: Connection, store: Store, new: NewSession, life: TokenSettings, *, now: float
) -> SessionCreated:
    """The person, their accounts, the session and its first refresh token. now: seconds since the epoch."""
    grant, tsid_hash = new.grant, new.tsid_hash
    user_id = users.find_or_create_user(connection, store, grant.identity, now=now)
    grant_ids = [
        upsert(connection, store, user_id=user_id, owner=grant.owner, account=account, now=now)
        for account in grant.accounts
    ]
    replaced = [
        one
        for account, grant_id in zip(grant.accounts, grant_ids, strict=True)
        if account.idp in grant.replaced
        for one in replace_others(connection, grant_id)
    ]
    renewable = new.client.may_use(REFRESH_TOKEN)
    session = Session(
        tsid_hash,
        user_id,
        grant.client_id,
        grant.owner,
        grant.resource,
        grant.scopes,
        _secret(new, grant_ids),
        created_at=now,
        revalidated_at=now,
        expires_at=ends_at(life, created_at=now, now=now, renewable=renewable),
    )
    _INSERT.run(connection, seal_session(session, store) | {"used_at": now})
    if not new.client.is_preregistered:
        let_in(connection, grant.client_id, now=now)
    _point_to_grants(connection, session, new, grant_ids)
    token = None
    if renewable:
        token = refresh_tokens.issue(connection, store, tsid_hash, now=now, expires_at=session.expires_at)
    return SessionCreated(session, token, grant.accounts, replaced)


@dataclass(frozen=True, slots=True)
class SessionCreator:
    """Creates sessions, and tells what came with them."""

    store: Store
    life: TokenSettings
    audit: Audit
    disconnector: Disconnector
    background: Background

    def create(self, connection: Connection, new: NewSession, *, now: float) -> SessionCreated:
        """As `create_session`."""
        return create_session(connection, self.store, new, self.life, now=now)

    def announce(self, created: SessionCreated, *, address: str) -> None:
        """After the commit: write it down, and disconnect the accounts whose place others took."""
        fields = created.session.audit_fields
        self.audit.write(AuditEvent.SESSION_STARTED, **fields, address=address)
        for one in created.accounts:
            self.audit.write(
                AuditEvent.ACCOUNT_CONNECTED, **fields, idp=one.idp, account=one.account, address=address
            )
        if created.replaced:
            disconnecting = disconnect_replaced(
                created.replaced,
                self.disconnector,
                subject=created.session.user_id,
                owner=created.session.owner,
            )
            self.background.start(disconnecting, what="disconnecting replaced accounts")


def ends_at(life: TokenSettings, *, created_at: float, now: float, renewable: bool = True) -> float:
    """When a session ends that is used now: with its token, and never later than its person allowed."""
    unused = life.refresh if renewable else life.access
    return min(now + unused.total_seconds(), created_at + life.session.total_seconds())


def _secret(new: NewSession, grant_ids: Sequence[str]) -> SessionSecret:
    grant = new.grant
    bound = new.client.is_public and new.confirmation is not None
    return SessionSecret(
        new.tsid,
        grant.identity,
        grant.auth_time,
        idp=grant.accounts[0].idp if grant.accounts else None,
        grant_id=grant_ids[0] if grant_ids else None,
        confirmation=dict(new.confirmation or {}) if bound else None,
    )


def _point_to_grants(
    connection: Connection, session: Session, new: NewSession, grant_ids: Sequence[str]
) -> None:
    """The accounts that came with it, and those that the person connected for this resource before."""
    session_grants.point_to(connection, session.tsid_hash, grant_ids)
    brought = {account.idp for account in new.grant.accounts}
    if earlier := [idp for idp in new.target.settings.uses if idp not in brought]:
        session_grants.point_to_earlier(
            connection, session.tsid_hash, user_id=session.user_id, owner=session.owner, idps=earlier
        )
