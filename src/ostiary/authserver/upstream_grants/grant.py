"""One grant, as the store has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.sql import ColumnElement

from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import session_grants, upstream_grants
from ostiary.storage.store import Store

_row = upstream_grants.c
_STAYS = frozenset({"id", "user_id", "idp", "account", "client_id", "owner"})
_OF_SESSION = Prepared(
    select(upstream_grants)
    .join(session_grants, session_grants.c.grant_id == _row.id)
    .where(
        session_grants.c.tsid_hash == bindparam("which"),
        _row.user_id == bindparam("person"),
        _row.owner == bindparam("whose"),
    )
    .order_by(_row.connected_at, _row.id)
)


class GrantState(StrEnum):
    """What is known of a grant."""

    ACTIVE = "active"
    NEEDS_RECONNECT = "needs_reconnect"
    """The provider takes its tokens no more: only its person can help."""
    IN_DOUBT = "in_doubt"
    """The provider may have taken the refresh token, and its answer was lost. It is tried again, once."""


class GrantSecrets(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is sealed."""

    tokens: UpstreamTokens
    label: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamGrant:
    """A grant, opened. Times are seconds since the epoch."""

    id: str
    user_id: str
    idp: str
    issuer: str
    account: str
    client_id: str
    """Ours at the provider."""
    owner: str
    state: GrantState
    scopes: tuple[str, ...]
    expires_at: float | None
    """The access token's; None when the provider did not say."""
    connected_at: float
    renewed_at: float
    version: int
    """Changes when the refresh token that stood there is used or replaced, and by nothing else."""
    claim_holder: str | None
    claim_until: float
    label: str | None
    tokens: UpstreamTokens = field(repr=False)


def find(connection: Connection, store: Store, grant_id: str) -> UpstreamGrant | None:
    """The grant; None when it is not there any more. Raises SealedOtherwise."""
    return next(iter(_found(connection, store, _row.id == grant_id)), None)


def is_of_user(connection: Connection, grant_id: str, user_id: str) -> bool:
    """Whether it is there, and somebody's own."""
    own = select(_row.id).where(_row.id == grant_id, _row.user_id == user_id)
    return connection.execute(own).first() is not None


def of_user(connection: Connection, store: Store, user_id: str) -> list[UpstreamGrant]:
    """All that somebody gave, the oldest first."""
    return _found(connection, store, _row.user_id == user_id)


def of_owner(connection: Connection, store: Store, *, user_id: str, owner: str) -> list[UpstreamGrant]:
    """What somebody gave one owner, the oldest first."""
    return _found(connection, store, _row.user_id == user_id, _row.owner == owner)


def of_session(
    connection: Connection, store: Store, tsid_hash: str, *, user_id: str, owner: str
) -> list[UpstreamGrant]:
    """What a session may use, the oldest first. user_id and owner: the session's.

    Wherever it is pointed to: what is another person's, or for another owner, is not its.
    """
    which = {"which": tsid_hash, "person": user_id, "whose": owner}
    return [grant_of(row, store) for row in _OF_SESSION.all(connection, which)]


def grant_of(row: Any, store: Store) -> UpstreamGrant:
    """A whole row, opened. Raises SealedOtherwise."""
    secrets = store.open(row.sealed, GrantSecrets, table=upstream_grants, row=row)
    return UpstreamGrant(
        id=row.id,
        user_id=row.user_id,
        idp=row.idp,
        issuer=row.issuer,
        account=row.account,
        client_id=row.client_id,
        owner=row.owner,
        state=GrantState(row.state),
        scopes=tuple(row.scopes.split()),
        expires_at=row.expires_at,
        connected_at=row.connected_at,
        renewed_at=row.renewed_at,
        version=row.version,
        claim_holder=row.claim_holder,
        claim_until=row.claim_until,
        label=secrets.label,
        tokens=secrets.tokens,
    )


def _found(connection: Connection, store: Store, *where: ColumnElement[bool]) -> list[UpstreamGrant]:
    wanted = select(upstream_grants).where(*where).order_by(_row.connected_at, _row.id)
    return [grant_of(row, store) for row in connection.execute(wanted)]


def seal_grant(
    row: Mapping[str, Any], store: Store, tokens: UpstreamTokens, label: str | None
) -> dict[str, Any]:
    """The row with these tokens and what it says of them, sealed. row: all else that its seal covers.

    Whoever changes any of it writes all of it.
    """
    whole = {**row, "scopes": " ".join(tokens.scopes), "expires_at": tokens.expires_at}
    return whole | {"sealed": store.seal(GrantSecrets(tokens, label), table=upstream_grants, row=whole)}


def changed(row: Mapping[str, Any]) -> dict[str, Any]:
    """What of such a row an update writes: the rest stays, and is in indices that would be written again."""
    return {name: value for name, value in row.items() if name not in _STAYS}


def row_of(grant: UpstreamGrant) -> dict[str, Any]:
    """What its row says that stays when its tokens change."""
    return {
        "id": grant.id,
        "user_id": grant.user_id,
        "idp": grant.idp,
        "issuer": grant.issuer,
        "account": grant.account,
        "client_id": grant.client_id,
        "owner": grant.owner,
        "connected_at": grant.connected_at,
        "renewed_at": grant.renewed_at,
        "version": grant.version,
    }
