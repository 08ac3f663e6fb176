"""How often somebody may ask: a bucket each, that fills again.

A bucket is a few bytes, and those unused for longest are forgotten: strangers of many names fill no memory.
Time is a parameter; where it goes back, nothing is given away, and buckets fill from there on.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MOST_BUCKETS = 5_000
"""Buckets of one rate that are kept at once: more than ask in the minute in which most fill again."""
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([smh])")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and as many again in each span of so many seconds."""

    count: int
    seconds: float
    written: str

    def __str__(self) -> str:
        return self.written


def read_rate(value: object) -> Rate:
    """`60/m` → Rate. Raises ValueError."""
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a rate is a number and a unit of time, such as 10/s, 60/m or 1000/h")
    return Rate(int(match[1]), _SECONDS[match[2]], match[0])


class Buckets:
    """Those of one rate, by whose they are. now: seconds, of any clock."""

    def __init__(self, rate: Rate, most: int = MOST_BUCKETS) -> None:
        """most: how many are kept."""
        self.rate = rate
        self._most = most
        self._per_second = rate.count / rate.seconds
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __contains__(self, whose: Hashable) -> bool:
        """Whether they asked lately."""
        return whose in self._buckets

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, whose: Hashable, now: float) -> int:
        """Whole seconds until they may ask once more; 0 for now. Nothing is taken."""
        level = self._level(whose, now) if self._buckets else 1.0
        return 0 if level >= 1.0 else int((1.0 - level) / self._per_second) + 1

    def take(self, whose: Hashable, now: float) -> None:
        """They ask once more, and may."""
        self._keep(whose, self._level(whose, now) - 1.0, now)

    def give_back(self, whose: Hashable, now: float) -> None:
        """Once, which was taken, is not to count."""
        if whose in self._buckets:
            self._keep(whose, min(float(self.rate.count), self._level(whose, now) + 1.0), now)

    def _level(self, whose: Hashable, now: float) -> float:
        capacity = float(self.rate.count)
        level, since = self._buckets.get(whose, (capacity, now))
        if now < since:
            self._buckets[whose] = level, now
            return level
        return min(capacity, level + (now - since) * self._per_second)

    def _keep(self, whose: Hashable, level: float, now: float) -> None:
        self._buckets[whose] = (level, now)
        self._buckets.move_to_end(whose)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
