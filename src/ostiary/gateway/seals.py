"""What callers carry for us, sealed: they bring it back unread and unchanged, or it opens nothing.

Replicas with one storage have one encryption key, so that any of them opens what another sealed. Without a
storage the key is this process's own, or that of the workers which it is one of, and ends with them.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ostiary.gateway.homes import ONE_PROCESS, Homes

if TYPE_CHECKING:
    from ostiary.storage.config import StorageSettings
    from ostiary.storage.sealing import KeyRing
    from ostiary.transport.workers import Worker

_TIME_BYTES = 8


class SealBroken(Exception):
    """It was not sealed here for this, was changed since, or is over."""


class Seals:
    """Seals for one purpose open for no other.

    clock: seconds since the epoch; worker: which of several processes this is.
    """

    def __init__(
        self,
        storage: StorageSettings | None = None,
        clock: Callable[[], float] = time.time,
        worker: Worker | None = None,
    ) -> None:
        self._storage = storage
        self._key = None if worker is None else worker.seal_key
        self.homes = ONE_PROCESS if worker is None else Homes(worker.index, len(worker.addresses))
        """Where it is that something sealed is about, if it is in memory."""
        self.clock = clock

    def seal(self, plain: bytes, *, purpose: bytes, seconds: float) -> str:
        """As text of base64url, to be opened within so many seconds. Raises KeyFileUnusable."""
        until = int(self.clock() + seconds).to_bytes(_TIME_BYTES, "big")
        return base64.urlsafe_b64encode(self._keys.seal(until + plain, covered=purpose)).decode()

    def open(self, sealed: str, *, purpose: bytes) -> bytes:
        """What was sealed. Raises SealBroken, KeyFileUnusable."""
        from ostiary.storage.sealing import DoesNotFit, UnknownKey  # noqa: PLC0415 - as below

        try:
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
            opened = self._keys.open(raw, covered=purpose)
        except (ValueError, binascii.Error, UnknownKey, DoesNotFit):
            raise SealBroken from None
        if int.from_bytes(opened[:_TIME_BYTES], "big") < self.clock():
            raise SealBroken
        return opened[_TIME_BYTES:]

    @cached_property
    def _keys(self) -> KeyRing:
        from ostiary.storage.sealing import KEY_BYTES, KeyRing  # noqa: PLC0415 - most gateways never seal

        if self._storage is None:
            return KeyRing([self._key or os.urandom(KEY_BYTES)])
        return KeyRing.from_file(self._storage.encryption_key.path)
