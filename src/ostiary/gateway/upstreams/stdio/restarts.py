"""How long to wait until a process is started again. A pause doubles with each failure.

A process that lived for a while has not failed by ending: the next one is started at once. One that ended
early is started once more at once, since what ended it was perhaps one call.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
A_WHILE = 30.0
"""Seconds. Who lives for as long counts as well."""


class Restarts:
    """Those of one process after the other. clock: seconds, from anywhere."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._started_at = 0.0
        self._next_start = 0.0
        self.why = ""

    @property
    def pause(self) -> float:
        """Seconds until it may be started; not above 0 when it may be now."""
        return self._next_start - self._clock()

    def started(self) -> None:
        """It runs."""
        self._started_at = self._clock()

    def works(self) -> None:
        """It does what it should: what was is forgotten."""
        self._failures = 0

    def failed(self, why: str) -> None:
        """It could not be started."""
        self._failures += 1
        self._wait(why)

    def ended(self, why: str) -> None:
        """It ran, and ended by itself."""
        if self._clock() - self._started_at >= A_WHILE:
            self._failures = 0
        self._wait(why)
        self._failures += 1

    def _wait(self, why: str) -> None:
        self.why = why
        pause = FIRST_PAUSE * 2.0 ** (self._failures - 1) if self._failures else 0.0
        self._next_start = self._clock() + min(pause, LONGEST_PAUSE)
