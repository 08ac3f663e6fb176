"""Under which encryption keys a store is sealed: what is looked at before anything of it is used.

A key is noted before anything is sealed with it, and struck off when nothing is any more (`resealing`). So a
start with a key file that lacks one is refused at once, and not when somebody needs the row.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.errors import KeyMissing, SealedOtherwise
from ostiary.storage.first_seals import seal_for_the_first_time
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import encryption_keys
from ostiary.storage.sealing import DoesNotFit, KeyRing, UnknownKey

_COLUMNS = covered_columns(encryption_keys)


def is_noted(connection: Connection, keys: KeyRing, *, place: str) -> bool:
    """Whether the key that seals is; all others that are can be had. place: of the store.

    Raises KeyMissing, SealedOtherwise.
    """
    rows = connection.execute(select(encryption_keys).order_by(encryption_keys.c.key_id)).all()
    for row in rows:
        if row.key_id not in keys.key_ids:
            raise KeyMissing(f"what store {place} holds", row.key_id)
        try:
            keys.open(row.sealed, covered=_COLUMNS.of(row))
        except (DoesNotFit, UnknownKey):
            raise SealedOtherwise(
                f"store {place}: {_COLUMNS.place(row)} does not fit its seal: it was changed past Ostiary, "
                "or is damaged; restore it"
            ) from None
    return keys.key_ids[0] in {row.key_id for row in rows}


def note(connection: Connection, keys: KeyRing, *, place: str, now: float) -> None:
    """Note the key that seals, alone in the store; where none ever was, seal what is there.

    now: seconds since the epoch. Raises KeyMissing, SealedOtherwise.
    """
    if is_noted(connection, keys, place=place):
        return
    if connection.execute(select(encryption_keys.c.key_id)).first() is None:
        seal_for_the_first_time(connection, keys, place=place)
    insert_key(connection, keys, now=now)


def noted(connection: Connection) -> dict[str, float]:
    """The ids of the keys that the store asks for, and since when, in seconds since the epoch."""
    of = encryption_keys.c
    return {row.key_id: row.since for row in connection.execute(select(of.key_id, of.since))}


def strike_off(connection: Connection, keys: KeyRing, *, still_named: set[str]) -> list[str]:
    """The ids of the keys that the store asks for no more: all but the one that seals, and these."""
    key_id = encryption_keys.c.key_id
    gone = delete(encryption_keys).where(key_id.not_in([keys.key_ids[0], *still_named]))
    return sorted(connection.execute(gone.returning(key_id)).scalars())


def insert_key(connection: Connection, keys: KeyRing, *, now: float) -> None:
    """The one that seals, unless it is noted."""
    row = {"key_id": keys.key_ids[0], "since": now}
    sealed = keys.seal(b"", covered=_COLUMNS.of(row))
    connection.execute(insert_or_ignore(connection, encryption_keys).values(row | {"sealed": sealed}))
