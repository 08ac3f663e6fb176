"""Tokens that one replica fetched for all, and whose turn it is to fetch the next.

A lease is taken by one statement that changes the row and says whether it did, so two replicas never have
it both. It ends by itself when its holder does. No transaction is open while a token is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Update, delete, select, update

from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.database import Database
from ostiary.storage.errors import KeyMissing, SealedOtherwise
from ostiary.storage.inserts import insert_into
from ostiary.storage.schema import shared_tokens
from ostiary.storage.sealing import DoesNotFit, KeyRing, UnknownKey

_COLUMNS = covered_columns(shared_tokens)
_row = shared_tokens.c


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Which token."""

    hash: str
    """What stands in the store."""
    bound_to: bytes
    """What does not stand there, and is needed to open what does."""


@dataclass(frozen=True, slots=True)
class SharedToken:
    """A token as the store has it. Times are seconds since the epoch."""

    plain: bytes
    sealed: bytes
    expires_at: float
    renew_at: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch one token, until then."""

    key: SharedKey
    holder: str
    until: float


class SharedTokenTable:
    """All methods raise StorageUnavailable."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys

    async def get(self, key: SharedKey) -> SharedToken | None:
        """The token, opened. Raises SealedOtherwise."""
        wanted = select(shared_tokens).where(_row.key_hash == key.hash)
        found = await self._database.read(lambda connection: connection.execute(wanted).first())
        if found is None or found.sealed is None:
            return None
        plain = self._opened(found.sealed, key, found)
        return SharedToken(plain, found.sealed, found.expires_at, found.renew_at)

    async def take(self, lease: Lease, *, seen: SharedToken | None, now: float) -> bool:
        """Whether the lease is now ours: nobody else has one, and the token is still the one that we saw."""
        sealed = None if seen is None else seen.sealed

        def taken(connection: Connection) -> bool:
            free = _row.lease_until <= now
            taking = (
                insert_into(connection, shared_tokens)
                .values(
                    key_hash=lease.key.hash,
                    expires_at=lease.until,
                    renew_at=0.0,
                    lease_until=lease.until,
                    lease_holder=lease.holder,
                )
                .on_conflict_do_update(
                    index_elements=[_row.key_hash],
                    set_={"lease_until": lease.until, "lease_holder": lease.holder},
                    where=free & _row.sealed.is_not_distinct_from(sealed),
                )
                .returning(_row.lease_holder)
            )
            return connection.execute(taking).first() is not None

        return await self._database.transaction(taken)

    async def put(self, lease: Lease, plain: bytes, *, expires_at: float, renew_at: float) -> None:
        """Give the token to all and the lease back, unless it was another's by now."""
        row = {"key_hash": lease.key.hash, "expires_at": expires_at, "renew_at": renew_at}
        sealed = self._keys.seal(plain, covered=_bound(lease.key, row))
        values = row | {"sealed": sealed, "lease_until": 0.0, "lease_holder": None}
        await self._execute(_held(lease).values(values))

    async def release(self, lease: Lease) -> None:
        """Give the lease back without a token."""
        await self._execute(_held(lease).values(lease_until=0.0, lease_holder=None))

    async def forget_ended(self, now: float) -> None:
        """Delete what is of no use to anybody any more."""
        ended = delete(shared_tokens).where(_row.expires_at <= now, _row.lease_until <= now)
        await self._execute(ended)

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    async def prepare(self) -> None:
        """Make or migrate the tables."""
        await self._database.prepare()

    async def _execute(self, change: Update | Delete) -> None:
        await self._database.transaction(lambda connection: connection.execute(change))

    def _opened(self, sealed: bytes, key: SharedKey, row: Any) -> bytes:
        try:
            return self._keys.open(sealed, covered=_bound(key, row))
        except UnknownKey as unknown:
            raise KeyMissing(_COLUMNS.place(row), unknown.key_id) from None
        except DoesNotFit:
            raise SealedOtherwise(
                f"{_COLUMNS.place(row)} does not fit its seal: it was sealed for a client with another "
                "secret, was changed past Ostiary, or is damaged; give every replica the same secrets"
            ) from None


def _held(lease: Lease) -> Update:
    mine = (_row.key_hash == lease.key.hash) & (_row.lease_holder == lease.holder)
    return update(shared_tokens).where(mine)


def _bound(key: SharedKey, row: Any) -> bytes:
    return _COLUMNS.of(row) + key.bound_to
