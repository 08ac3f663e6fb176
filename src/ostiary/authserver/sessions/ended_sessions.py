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
"""Sessions told at once. Where more ended, which a server that starts does at one moment, none is told by
its name: no cursor could say how many of that moment were."""

_row = token_sessions.c


@dataclass(frozen=True, slots=True)
class EndedSince:
    """tsid_hashes: of the sessions that ended; some were told before. None where they are more than MOST.
    until: what to ask after next, in seconds since the epoch."""

    tsid_hashes: tuple[str, ...] | None
    until: float


def settled(now: float) -> float:
    """The moment since which more may end than is seen by now."""
    return now - SETTLING


def is_known_since(after: float, *, now: float) -> bool:
    """Whether all that ended after that moment is still there."""
    return after > now - KEPT_ENDED + SETTLING


def ended_since(connection: Connection, owner: str, *, after: float, now: float) -> EndedSince:
    """The sessions of an owner, `namespace/name`, that ended after a moment; the earliest first."""
    own = (_row.owner == owner) | _row.owner.startswith(f"{owner}#", autoescape=True)
    query = (
        select(_row.tsid_hash)
        .where(_row.ended_at > after, own)
        .order_by(_row.ended_at, _row.tsid_hash)
        .limit(MOST + 1)
    )
    found = tuple(connection.execute(query).scalars())
    return EndedSince(found if len(found) <= MOST else None, max(after, settled(now)))
