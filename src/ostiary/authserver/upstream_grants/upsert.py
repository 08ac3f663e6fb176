"""Keep what a sign-in or a connection brought.

There is one row for (user, provider, account there, our client there, owner). A provider that gives a
refresh token only the first time (Google) must not cost the person the one that is there: it stays, unless it
is known to be dead. What scopes there are, the last answer says.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, bindparam, select, update

from ostiary.authserver.idps.back_channel import completed
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants.grant import GrantState, grant_of, joined, sealed
from ostiary.storage.inserts import prepared_insert
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import upstream_grants
from ostiary.storage.store import Store

_row = upstream_grants.c
_ADD = prepared_insert(upstream_grants, lambda insert: insert.on_conflict_do_nothing().returning(_row.id))
_MINE = Prepared(
    select(upstream_grants)
    .where(
        _row.user_id == bindparam("user"),
        _row.idp == bindparam("at"),
        _row.account == bindparam("whom"),
        _row.client_id == bindparam("by"),
        _row.owner == bindparam("whose"),
    )
    .with_for_update()
)
_UPDATE = Prepared(update(upstream_grants).where(_row.id == bindparam("which")))


def upsert(
    connection: Connection, store: Store, *, user_id: str, owner: str, account: UpstreamAccount, now: float
) -> str:
    """The grant's id. It is part of the caller's transaction."""
    while True:  # once more when the one that is there is released between the two statements
        grant_id = _added(connection, store, user_id, owner, account, now) or _brought_up_to_date(
            connection, store, user_id, owner, account, now
        )
        if grant_id is not None:
            return grant_id


def _added(
    connection: Connection, store: Store, user_id: str, owner: str, account: UpstreamAccount, now: float
) -> str | None:
    """None when there is one already."""
    grant_id, tokens = str(uuid.uuid4()), account.tokens
    row = {
        "id": grant_id,
        "user_id": user_id,
        "idp": account.idp,
        "issuer": account.issuer,
        "account": account.account,
        "client_id": account.client_id,
        "owner": owner,
        "sealed": sealed(store, grant_id, tokens, account.label),
        "scopes": joined(tokens.scopes),
        "state": GrantState.ACTIVE,
        "expires_at": tokens.expires_at,
        "connected_at": now,
        "renewed_at": now,
        "version": 1,
        "claim_until": 0.0,
    }
    return None if _ADD.first(connection, row) is None else grant_id


def _brought_up_to_date(
    connection: Connection, store: Store, user_id: str, owner: str, account: UpstreamAccount, now: float
) -> str | None:
    """None when it is gone again.

    The row is locked, so that no renewal changes it between our look and our word.
    """
    mine = {
        "user": user_id,
        "at": account.idp,
        "whom": account.account,
        "by": account.client_id,
        "whose": owner,
    }
    row = _MINE.first(connection, mine)
    if row is None:
        return None
    kept = grant_of(row, store)
    dead = kept.state is GrantState.NEEDS_RECONNECT or kept.issuer != account.issuer
    tokens = account.tokens if dead else completed(account.tokens, kept.tokens)
    values = {
        "sealed": sealed(store, kept.id, tokens, account.label or kept.label),
        "issuer": account.issuer,
        "scopes": joined(tokens.scopes),
        "expires_at": tokens.expires_at,
        "connected_at": now,
        "renewed_at": now,
    }
    if tokens.refresh_token != kept.tokens.refresh_token:
        values |= {"version": kept.version + 1, "claim_until": 0.0, "claim_holder": None}
    if dead or tokens.refresh_token != kept.tokens.refresh_token:
        values["state"] = GrantState.ACTIVE
    _UPDATE.run(connection, {"which": kept.id, **values})
    return kept.id
