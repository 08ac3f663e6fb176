"""What every provider is asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ostiary.identity.key_sets import KeySets
from ostiary.transport.fetch import Fetcher


@dataclass(frozen=True, slots=True)
class Tools:
    """Shared by all of them. clock: seconds since the epoch."""

    fetcher: Fetcher
    key_sets: KeySets
    clock: Callable[[], float]
