"""A database, and the key ring that seals its rows: what a part that keeps things is given."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Connection, Table

from ostiary.storage import keys_in_use
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.database import Database
from ostiary.storage.errors import KeyMissing, SealedOtherwise
from ostiary.storage.sealing import DoesNotFit, KeyRing, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.storage.config import StorageSettings
    from ostiary.storage.group_commit import Work

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

SEALING_TIMEOUT = 600.0
"""Seconds for sealing what an earlier version left: some 50,000 rows a second, all in one transaction."""

_encoded = msgspec.json.Encoder().encode


class Store:
    """Where one part's records are. All of it raises StorageUnavailable."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self.database = database
        self.keys = keys

    @classmethod
    def of(cls, settings: StorageSettings) -> Store:
        """The store that is configured. Raises KeyFileUnusable."""
        return cls(Database(settings), KeyRing.from_file(settings.encryption_key.path))

    async def prepare(self, *, now: float) -> None:
        """Make or migrate the tables, and look whether all that is sealed can be opened.

        now: seconds since the epoch. Raises StorageUnavailable, KeyMissing, SealedOtherwise.
        """
        keys, place = self.keys, self.database.place
        await self.database.prepare()
        if not await self.read(lambda connection: keys_in_use.is_noted(connection, keys, place=place)):

            def note(connection: Connection) -> None:
                keys_in_use.note(connection, keys, place=place, now=now)

            await self.database.alone(note, within=SEALING_TIMEOUT)

    async def keep_key_noted(self, *, now: float) -> None:
        """For a server that goes on: a key that it seals with is needed, though it was struck off too early.

        now: seconds since the epoch. Raises StorageUnavailable; KeyMissing, when others seal with one that it
        does not have; SealedOtherwise.
        """
        keys, place = self.keys, self.database.place
        if keys.key_ids[0] not in await self.read(keys_in_use.noted):
            await self.transaction(lambda connection: keys_in_use.insert_key(connection, keys, now=now))
        await self.read(lambda connection: keys_in_use.is_noted(connection, keys, place=place))

    async def transaction(self, work: Work[T]) -> T:
        """Do all of `work` or nothing of it; when it returns, it is on the disk."""
        return await self.database.transaction(work)

    async def read(self, work: Work[T]) -> T:
        """What `work` finds."""
        return await self.database.read(work)

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()

    def seal(self, record: msgspec.Struct, *, table: Table, row: Mapping[str, Any]) -> bytes:
        """A record as this row of this table may hold it. row: at least what its seal covers."""
        return self.keys.seal(_encoded(record), covered=covered_columns(table).of(row))

    def open(self, sealed: bytes, kind: type[S], *, table: Table, row: Any) -> S:
        """The record that was sealed in this row. Raises SealedOtherwise when the row was changed since.

        row: as it was read, or by names; at least what its seal covers.
        """
        plain = self._opened(sealed, table, row)
        try:
            return msgspec.json.decode(plain, type=kind)
        except msgspec.DecodeError:
            raise SealedOtherwise(
                f"{covered_columns(table).place(row)} was written by another version of Ostiary"
            ) from None

    def seal_row(self, table: Table, row: Mapping[str, Any]) -> bytes:
        """For a row that holds nothing secret: whoever changes it is found out."""
        return self.keys.seal(b"", covered=covered_columns(table).of(row))

    def check_row(self, sealed: bytes, *, table: Table, row: Any) -> None:
        """Raise SealedOtherwise when such a row was changed since."""
        self._opened(sealed, table, row)

    def _opened(self, sealed: bytes, table: Table, row: Any) -> bytes:
        columns = covered_columns(table)
        try:
            return self.keys.open(sealed, covered=columns.of(row))
        except UnknownKey as unknown:
            raise KeyMissing(columns.place(row), unknown.key_id) from None
        except DoesNotFit:
            raise SealedOtherwise(
                f"{columns.place(row)} does not fit its seal: it was changed past Ostiary, or is damaged; "
                "nobody is served from it until it is restored or deleted"
            ) from None


def digest(secret: str) -> str:
    """What stands in the store for a code, a token, a `tsid`: SHA-256 in hexadecimal.

    Nothing leads back from it, for what is hashed has 128 random bits at least.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
