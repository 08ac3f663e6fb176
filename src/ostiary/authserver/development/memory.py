"""What a development provider gave, until its process ends: bounded, and each thing with its end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 1000
"""Things of one kind at once; the oldest go first."""

T = TypeVar("T")


class Given(Generic[T]):
    """Things under names that nobody can guess. lifetime: seconds; clock: seconds since the epoch."""

    def __init__(self, lifetime: float, clock: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._things: dict[str, tuple[T, float]] = {}

    def give(self, thing: T) -> str:
        """Its name."""
        if len(self._things) >= MOST:
            del self._things[next(iter(self._things))]
        name = secrets.token_urlsafe(32)
        self._things[name] = (thing, self._clock() + self._lifetime)
        return name

    def find(self, name: str) -> T | None:
        """The thing, None when it has ended or never was."""
        thing, until = self._things.get(name, (None, 0.0))
        return thing if self._clock() < until else None

    def take(self, name: str) -> T | None:
        """The thing, once."""
        thing = self.find(name)
        self._things.pop(name, None)
        return thing
