"""How often each caller has asked, and whether they may once more.

A refused request takes nothing from anybody. Who is counted is bounded; of those who asked longest ago,
nothing is remembered, and they begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.gateway.errors import TooOften
from ostiary.rates import Buckets
from ostiary.transport.addresses import network_of

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.rate_settings import RateSettings

MOST_CALLERS = 50_000
"""How many are counted by one limit."""


@dataclass(frozen=True, slots=True)
class _Limit:
    setting: str
    whose: Callable[[Call], Hashable]
    buckets: Buckets


class RateLimits:
    """Those of one place in the settings, or of several that count together. clock: in seconds."""

    def __init__(self, clock: Callable[[], float], limits: Iterable[_Limit] = ()) -> None:
        self._clock = clock
        self._limits = tuple(limits)

    @classmethod
    def of(cls, settings: RateSettings, place: str, clock: Callable[[], float]) -> RateLimits:
        """place: where they stand, such as `gateway.rates`."""
        return cls(
            clock,
            [
                _Limit(f"{place}.{name}", whose, Buckets(rate, MOST_CALLERS))
                for name, whose in _WHOSE.items()
                if (rate := getattr(settings, name)) is not None
            ],
        )

    def with_those(self, others: RateLimits) -> RateLimits:
        """These and others at once."""
        return RateLimits(self._clock, (*self._limits, *others._limits))

    def take(self, call: Call) -> None:
        """Count it. Raises TooOften, and counts nothing, when it is one too many for any of them."""
        now = self._clock()
        named = [(limit, limit.whose(call)) for limit in self._limits]
        for limit, whose in named:
            wait = limit.buckets.wait(whose, now)
            if wait:
                raise TooOften(limit.setting, str(limit.buckets.rate), wait)
        for limit, whose in named:
            limit.buckets.take(whose, now)

    def __bool__(self) -> bool:
        return bool(self._limits)


def _principal(call: Call) -> Hashable:
    principal = call.principal
    return network_of(call.request.peer) if principal is None else (principal.issuer, principal.subject)


def _client(call: Call) -> Hashable:
    principal = call.principal
    return network_of(call.request.peer) if principal is None else (principal.issuer, principal.client_id)


def _everybody(_: Call) -> Hashable:
    return None


_WHOSE: dict[str, Callable[[Call], Hashable]] = {
    "principal": _principal,
    "client": _client,
    "everybody": _everybody,
}
