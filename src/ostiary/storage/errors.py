"""What can be wrong with a store.

StorageError
├── KeyFileUnusable      the encryption key cannot be read, made, or is none
├── SealedOtherwise      what is there was sealed under another key, for another use, or is damaged
└── StorageUnavailable   the database does not answer, or not in time
"""

from __future__ import annotations

from ostiary.operator_error import OperatorError


class StorageError(OperatorError):
    """The root of everything that a store raises. There is no secret in its message."""


class KeyFileUnusable(StorageError):
    """The encryption key cannot be had. Nothing starts without it."""


class SealedOtherwise(StorageError):
    """It cannot be opened with the keys that we have."""


class StorageUnavailable(StorageError):
    """The database does not do what it should; it may later."""
