"""The emulator's time: the machine's, and as much ahead of it as somebody wants."""

from __future__ import annotations

import time
from datetime import timedelta


class EmulatorClock:
    """Seconds since the epoch; `offset` moves it, for tokens that should be old by now."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> float:
        return time.time() + self.offset.total_seconds()
