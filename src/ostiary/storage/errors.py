"""What can be wrong with a store.

StorageError
├── KeyFileUnusable      the encryption key cannot be read, made, or is none
├── SealedOtherwise      what is there was sealed for another row, or the row was changed since, or is damaged
│   └── KeyMissing       it was sealed under a key that the key file does not have
├── StillSealedUnder     a server goes on sealing with an old key
└── StorageUnavailable   the database does not answer, or not in time
"""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.operator_error import OperatorError


class StorageError(OperatorError):
    """The root of everything that a store raises. There is no secret in its message."""


class KeyFileUnusable(StorageError):
    """The encryption key cannot be had. Nothing starts without it."""


class SealedOtherwise(StorageError):
    """It does not open, or is not what it was."""


class KeyMissing(SealedOtherwise):
    """The key file lacks a key that is needed. what: which row, or what of a store."""

    def __init__(self, what: str, key_id: str) -> None:
        super().__init__(
            f"{what} is sealed under encryption key {key_id}, which the key file does not have: put its line "
            "back, in every replica"
        )
        self.key_id = key_id


class StillSealedUnder(StorageError):
    """Rows come to be under an old key as fast as they are sealed anew. old, new: ids of keys."""

    def __init__(self, old: Sequence[str], new: str) -> None:
        super().__init__(
            f"rows are still being sealed under encryption key {', '.join(old)}: put the line of {new} first "
            "in the key file of every replica, restart those that began before, and run this again"
        )


class StorageUnavailable(StorageError):
    """The database does not do what it should; it may later."""
