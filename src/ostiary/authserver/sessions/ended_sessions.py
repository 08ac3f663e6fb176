"""Sessions that ended, for whoever keeps something of theirs.

A transaction says when its session ended before it commits, and clocks of replicas differ. So what ended
within the last SETTLING seconds is told again, and nothing is missed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from ostiary.authserver.sessions.expired_sessions import KEPT_ENDED
from ostiary.storage.schema import token_sessions

SETTLING = 5.0
"""Seconds within which an end is seen by everybody."""
MOST = 1_000
"""Sessions told at once."""

_row = token_sessions.c


@dataclass(frozen=True, slots=True)
class EndedSince:
    """tsid_hashes: of the sessions that ended; some were told before. until: what to ask after next, in
    seconds since the epoch."""

    tsid_hashes: tuple[str, ...]
    until: float


def is_known_since(after: float, *, now: float) -> bool:
    """Whether all that ended after that moment is still there."""
    return after > now - KEPT_ENDED + SETTLING


def ended_since(connection: Connection, owner: str, *, after: float, now: float) -> EndedSince:
    """The sessions of an owner, `namespace/name`, that ended after a moment; the earliest first."""
    own = (_row.owner == owner) | _row.owner.startswith(f"{owner}#", autoescape=True)
    query = (
        select(_row.tsid_hash, _row.ended_at)
        .where(_row.ended_at > after, own)
        .order_by(_row.ended_at, _row.tsid_hash)
        .limit(MOST)
    )
    found = connection.execute(query).all()
    settled = max(after, now - SETTLING)
    until = min(settled, float(found[-1].ended_at)) if len(found) == MOST else settled
    return EndedSince(tuple(row.tsid_hash for row in found), until)
