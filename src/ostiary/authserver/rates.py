"""How often somebody may ask: a bucket each, that fills again.

Kept in each process, so replicas allow their number times as much. A bucket is a few bytes, whatever its
owner is called, and those unused for longest are forgotten: strangers of many addresses fill no memory.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import msgspec

from ostiary.authserver.config.rate import Rate, read_rate
from ostiary.authserver.config.settings import RateSettings
from ostiary.oauth.server.errors import TooManyRequests
from ostiary.transport.addresses import network_of

MOST_BUCKETS = 5_000
"""Buckets of one limit that are kept at once: more than ask in the minute in which most fill again."""


class RateLimit:
    """One limit."""

    def __init__(self, rate: Rate) -> None:
        self._capacity = float(rate.count)
        self._per_second = rate.count / rate.seconds
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, *who: str, now: float) -> None:
        """One more request of theirs. Raises TooManyRequests."""
        self._take(_bucket(who), who, now)

    def take_of_known(self, *who: str, now: float) -> bool:
        """The same, if they asked lately; whether they did. Raises TooManyRequests."""
        bucket = _bucket(who)
        is_known = bucket in self._buckets
        if is_known:
            self._take(bucket, who, now)
        return is_known

    def check(self, *who: str, now: float) -> None:
        """Whether one more would be taken; nothing is. Raises TooManyRequests."""
        if self._buckets:
            self._room(_bucket(who), who, now)

    def give_back(self, *who: str, now: float) -> None:
        """One request of theirs, which was taken, is not to count."""
        bucket = _bucket(who)
        if bucket in self._buckets:
            self._keep(bucket, min(self._capacity, self._level(bucket, now) + 1.0), now)

    def _take(self, bucket: bytes, who: tuple[str, ...], now: float) -> None:
        self._keep(bucket, self._room(bucket, who, now) - 1.0, now)

    def _room(self, bucket: bytes, who: tuple[str, ...], now: float) -> float:
        level = self._level(bucket, now)
        if level < 1.0:
            wait = int((1.0 - level) / self._per_second) + 1
            raise TooManyRequests(
                f"too many requests; try again in {wait} seconds", retry_after=wait, detail=" at ".join(who)
            )
        return level

    def _level(self, bucket: bytes, now: float) -> float:
        level, since = self._buckets.get(bucket, (self._capacity, now))
        return min(self._capacity, level + max(0.0, now - since) * self._per_second)

    def _keep(self, bucket: bytes, level: float, now: float) -> None:
        self._buckets[bucket] = (level, now)
        self._buckets.move_to_end(bucket)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)


def _bucket(who: tuple[str, ...]) -> bytes:
    *names, address = who
    return hashlib.blake2b("\n".join([*names, network_of(address)]).encode(), digest_size=16).digest()


class ClientRate:
    """How often each client may ask at each address; counted before it is known whose a request is.

    Who has not proven at an address which client it is has the address's one bucket, however many names it
    gives. Who has is not held up by them.
    """

    def __init__(self, rate: Rate) -> None:
        self.proven = RateLimit(rate)
        self.strangers = RateLimit(rate)

    def ask(self, client_id: str | None, address: str, *, now: float) -> CountedRequest:
        """Count a request. client_id: as it names itself. Raises TooManyRequests."""
        is_stranger = client_id is None or not self.proven.take_of_known(client_id, address, now=now)
        if is_stranger:
            self.strangers.take(address, now=now)
        return CountedRequest(self, address, is_stranger=is_stranger)


class CountedRequest(msgspec.Struct, frozen=True):
    """A request that was counted."""

    rate: ClientRate
    address: str
    is_stranger: bool

    def is_of(self, client_id: str, *, now: float) -> None:
        """It is proven to be this client's, and counts for it alone. Raises TooManyRequests."""
        if self.is_stranger:
            self.rate.strangers.give_back(self.address, now=now)
            self.rate.proven.take(client_id, self.address, now=now)


class Rates:
    """The limits of all endpoints."""

    def __init__(self, settings: RateSettings) -> None:
        self.authorize = ClientRate(settings.authorize)
        self.steps = RateLimit(settings.authorize)
        """Of what follows an authorization request, and of sign-ins to the page of accounts."""
        self.token = ClientRate(settings.token)
        self.userinfo = ClientRate(settings.token)
        self.registration = RateLimit(settings.registration)
        self.code_guesses_of_browser = RateLimit(read_rate("10/m"))
        self.code_guesses_of_address = RateLimit(read_rate("60/m"))
        """Of a device's code, which is short: one in 25 billion is right for each device that waits."""
