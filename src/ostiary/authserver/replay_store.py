"""What is taken once, by whichever replica it comes to first: names of assertions and proofs.

RFC 7523 section 3, RFC 9449 section 11.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ostiary.storage.expiry import Expiry
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import used_once
from ostiary.storage.store import digest

if TYPE_CHECKING:
    from ostiary.oauth.resource_server.dpop_proof import VerifiedProof
    from ostiary.storage.store import Store

EXPIRY = Expiry(used_once.c.expires_at)


def take(connection: Connection, value: str, *, expires_at: float) -> bool:
    """Whether nobody took it before.

    value: with whatever tells it from others' names, such as the issuer; expires_at: when it would be refused
    anyway, in seconds since the epoch.
    """
    row = {"value_hash": digest(value), "expires_at": expires_at}
    statement = insert_or_ignore(connection, used_once).values(row).returning(used_once.c.value_hash)
    return connection.execute(statement).first() is not None


class DatabaseReplayStore:
    """Proofs of possession, for all replicas."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, proof: VerifiedProof, *, until: float, now: float) -> bool:
        """As of every ReplayStore; `now` is of no interest, as rows are swept. Raises StorageError."""
        name = f"dpop {proof.jkt} {proof.jti}"
        return await self._store.transaction(lambda connection: take(connection, name, expires_at=until))
