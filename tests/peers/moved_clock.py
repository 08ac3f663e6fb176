"""One clock for several processes, which goes on and is moved ahead by a test: a file of eight bytes."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path


class MovedClock:
    """Seconds since the epoch, as everybody has them who opened the same file."""

    def __init__(self, file: Path) -> None:
        """file: how far it was moved, as a double; made when it is not there."""
        if not file.exists():
            file.write_bytes(struct.pack("<d", 0.0))
        self.file = file
        with file.open("r+b") as opened:
            self._moved = mmap.mmap(opened.fileno(), 8)

    def __call__(self) -> float:
        return time.time() + self.moved

    @property
    def moved(self) -> float:
        """Seconds ahead of the machine's clock."""
        return float(struct.unpack("<d", self._moved)[0])

    def advance(self, seconds: float) -> None:
        """For everybody, at once."""
        self._moved[:] = struct.pack("<d", self.moved + seconds)
