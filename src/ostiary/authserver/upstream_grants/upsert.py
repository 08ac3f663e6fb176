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
from ostiary.authserver.upstream_grants.grant import GrantState, changed, grant_of, row_of, seal_grant
from ostiary.storage.inserts import prepared_insert
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import upstream_grants
from ostiary.storage.store import Store

_row = upstream_grants.c
_ADD = prepared_insert(upstream_grants, lambda insert: insert.on_conflict_do_nothing())
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
    grant_id = str(uuid.uuid4())
    row = {
        "id": grant_id,
        "user_id": user_id,
        "idp": account.idp,
        "issuer": account.issuer,
        "account": account.account,
        "client_id": account.client_id,
        "owner": owner,
        "connected_at": now,
        "renewed_at": now,
        "version": 1,
    }
    whole = seal_grant(row, store, account.tokens, account.label)
    whole |= {"state": GrantState.ACTIVE, "claim_until": 0.0}
    return grant_id if _ADD.changed(connection, whole) == 1 else None


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
    is_new = tokens.refresh_token != kept.tokens.refresh_token
    said = {"issuer": account.issuer, "connected_at": now, "renewed_at": now}
    said |= {"version": kept.version + 1} if is_new else {}
    values = changed(seal_grant(row_of(kept) | said, store, tokens, account.label or kept.label))
    if is_new:
        values |= {"claim_until": 0.0, "claim_holder": None}
    if dead or is_new:
        values["state"] = GrantState.ACTIVE
    _UPDATE.run(connection, {"which": kept.id, **values})
    return kept.id
