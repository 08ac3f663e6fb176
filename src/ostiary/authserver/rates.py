"""How often somebody may ask, and what they are told who ask more often. Kept in each process, so replicas
allow their number times as much.
"""

from __future__ import annotations

import hashlib

import msgspec

from ostiary.authserver.config.settings import RateSettings
from ostiary.oauth.server.errors import TooManyRequests
from ostiary.rates import Buckets, Rate, read_rate
from ostiary.transport.addresses import network_of


class RateLimit:
    """One limit. A bucket's name is a digest, however long its owner's is."""

    def __init__(self, rate: Rate) -> None:
        self.buckets = Buckets(rate)

    def take(self, *who: str, now: float) -> None:
        """One more request of theirs. Raises TooManyRequests."""
        self._take(_bucket(who), who, now)

    def take_of_known(self, *who: str, now: float) -> bool:
        """The same, if they asked lately; whether they did. Raises TooManyRequests."""
        bucket = _bucket(who)
        is_known = bucket in self.buckets
        if is_known:
            self._take(bucket, who, now)
        return is_known

    def check(self, *who: str, now: float) -> None:
        """Whether one more would be taken; nothing is. Raises TooManyRequests."""
        if len(self.buckets):
            self._require(_bucket(who), who, now)

    def give_back(self, *who: str, now: float) -> None:
        """One request of theirs, which was taken, is not to count."""
        self.buckets.give_back(_bucket(who), now)

    def _take(self, bucket: bytes, who: tuple[str, ...], now: float) -> None:
        self._require(bucket, who, now)
        self.buckets.take(bucket, now)

    def _require(self, bucket: bytes, who: tuple[str, ...], now: float) -> None:
        wait = self.buckets.wait(bucket, now)
        if wait:
            raise TooManyRequests(
                f"too many requests; try again in {wait} seconds", retry_after=wait, detail=" at ".join(who)
            )


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
