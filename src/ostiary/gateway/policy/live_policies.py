"""The policies of a folder, read again when its files change. A set that is broken leaves the one before."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ostiary.gateway.policy.loading import read_folder, read_policies
from ostiary.gateway.policy.policy_set import PolicySet
from ostiary.live_file import LiveFile

EVERY_SECONDS = 1.0
"""How often the files are looked at, while calls come."""


class LivePolicies:
    """Those of one folder. clock: in seconds, of any beginning."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises PoliciesUnusable, now and never later."""
        generations = count(1)

        def read() -> PolicySet:
            return read_policies(read_folder(folder), next(generations))

        self._clock = clock
        self._live = LiveFile([folder], read)
        self._current = self._live.current()
        self._look_at = clock() + EVERY_SECONDS

    def current(self) -> PolicySet:
        """The same object until the files change."""
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + EVERY_SECONDS
            self._current = self._live.current()
        return self._current

    def reload(self) -> None:
        """Read the files again, whether they have changed or not. What is wrong with them is in the log."""
        self._current = self._live.reread()
        self._look_at = self._clock() + EVERY_SECONDS
