"""How often one client at one address may ask: a bucket each, that fills again.

Kept in each process, so replicas allow their number times as much. What nobody used for a while is forgotten.
"""

from __future__ import annotations

import re

from ostiary.authserver.config.rate import Rate, read_rate
from ostiary.authserver.config.settings import RateSettings
from ostiary.oauth.server_errors import TooManyRequests
from ostiary.transport.addresses import network_of

_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
MOST_BUCKETS = 20_000
"""Buckets kept at once. Beyond it the fullest are forgotten, which loses nothing."""


class RateLimit:
    """One limit."""

    def __init__(self, rate: Rate) -> None:
        self._capacity = float(rate.count)
        self._per_second = rate.count / rate.seconds
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}

    def take(self, *who: str, now: float) -> None:
        """One more request of theirs. Raises TooManyRequests."""
        who = _counted_as(who)
        level = self._room(who, now)
        if len(self._buckets) >= MOST_BUCKETS and who not in self._buckets:
            self._forget(now)
        self._buckets[who] = (level - 1.0, now)

    def check(self, *who: str, now: float) -> None:
        """Whether one more would be taken; nothing is. Raises TooManyRequests."""
        self._room(_counted_as(who), now)

    def _room(self, who: tuple[str, ...], now: float) -> float:
        level, since = self._buckets.get(who, (self._capacity, now))
        level = min(self._capacity, level + max(0.0, now - since) * self._per_second)
        if level < 1.0:
            wait = int((1.0 - level) / self._per_second) + 1
            raise TooManyRequests(
                f"too many requests; try again in {wait} seconds", retry_after=wait, detail=" at ".join(who)
            )
        return level

    def _forget(self, now: float) -> None:
        full = [
            who
            for who, (level, since) in self._buckets.items()
            if level + (now - since) * self._per_second >= self._capacity
        ]
        for who in full or list(self._buckets)[: MOST_BUCKETS // 10]:
            del self._buckets[who]


def _counted_as(who: tuple[str, ...]) -> tuple[str, ...]:
    """IPv6 addresses by their /64: that is what one household has, and may choose among."""
    if not any(":" in part for part in who):
        return who
    return tuple(network_of(part) if _IPV6.fullmatch(part) else part for part in who)


class Rates:
    """The limits of all endpoints."""

    def __init__(self, settings: RateSettings) -> None:
        self.authorize = RateLimit(settings.authorize)
        self.token = RateLimit(settings.token)
        self.registration = RateLimit(settings.registration)
        self.code_guesses_of_browser = RateLimit(read_rate("10/m"))
        self.code_guesses_of_address = RateLimit(read_rate("60/m"))
        """Of a device's code, which is short: one in 25 billion is right for each device that waits."""
