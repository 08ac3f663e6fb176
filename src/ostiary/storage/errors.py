"""What can be wrong with a store.

StorageError
├── KeyFileUnusable      the encryption key cannot be read, made, or is none
├── SealedOtherwise      what is there was sealed for another row, or the row was changed since, or is damaged
│   └── KeyMissing       it was sealed under a key that the key file does not have
└── StorageUnavailable   the database does not answer, or not in time
"""

from __future__ import annotations

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


class StorageUnavailable(StorageError):
    """The database does not do what it should; it may later."""
