"""What becomes of a grant, one statement a change."""

from __future__ import annotations

from sqlalchemy import Connection, Update, case, update

from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.authserver.upstream_grants.grant import (
    GrantState,
    UpstreamGrant,
    changed,
    grant_of,
    row_of,
    seal_grant,
)
from ostiary.storage.schema import upstream_grants
from ostiary.storage.store import Store

_row = upstream_grants.c


def claim(
    connection: Connection, store: Store, seen: UpstreamGrant, *, holder: str, now: float, until: float
) -> UpstreamGrant | None:
    """The grant, ours to renew until then; None when another was quicker.

    Nobody has it, or the claim of whoever had it has lapsed. A lapsed one puts the grant in doubt: its holder
    may have shown the refresh token. When it was in doubt already, that was the one try that it gets.
    """
    lapsed = _row.claim_holder.is_not(None)
    doubted = _row.state == GrantState.IN_DOUBT
    row = connection.execute(
        update(upstream_grants)
        .where(
            _row.id == seen.id,
            _row.version == seen.version,
            _row.state != GrantState.NEEDS_RECONNECT,
            _row.claim_until <= now,
        )
        .values(
            state=case(
                (lapsed & doubted, GrantState.NEEDS_RECONNECT),
                (lapsed, GrantState.IN_DOUBT),
                else_=_row.state,
            ),
            claim_holder=case((lapsed & doubted, None), else_=holder),
            claim_until=case((lapsed & doubted, 0.0), else_=until),
        )
        .returning(upstream_grants)
    ).one_or_none()
    return None if row is None else grant_of(row, store)


def put(
    connection: Connection, store: Store, seen: UpstreamGrant, tokens: UpstreamTokens, *, now: float
) -> bool:
    """New tokens where the ones that we saw still stand, whoever has the claim by now; whether they did."""
    kept = row_of(seen) | {"renewed_at": now, "version": seen.version + 1}
    values = changed(seal_grant(kept, store, tokens, seen.label))
    values |= {"state": GrantState.ACTIVE, "claim_until": 0.0, "claim_holder": None}
    return connection.execute(_standing(seen).values(values).returning(_row.id)).first() is not None


def give_back(connection: Connection, seen: UpstreamGrant, *, holder: str, state: GrantState) -> None:
    """The claim, without new tokens; unless it is another's by now."""
    mine = _standing(seen).where(_row.claim_holder == holder)
    connection.execute(mine.values(claim_until=0.0, claim_holder=None, state=state))


def mark_dead(connection: Connection, seen: UpstreamGrant) -> bool:
    """The provider takes its tokens no more; whether nobody had said so before."""
    statement = _standing(seen).where(_row.state != GrantState.NEEDS_RECONNECT)
    values = {"state": GrantState.NEEDS_RECONNECT, "claim_until": 0.0, "claim_holder": None}
    return connection.execute(statement.values(values).returning(_row.id)).first() is not None


def _standing(seen: UpstreamGrant) -> Update:
    return update(upstream_grants).where(_row.id == seen.id, _row.version == seen.version)
