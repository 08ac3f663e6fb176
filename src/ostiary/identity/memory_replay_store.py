"""Proofs that came, remembered in this process until they would be refused anyway. RFC 9449 section 11.1.

Memory is bounded, and nobody fills it for others: when it is full, the keys that proved most give way. Of
such a key no single proof is known any more, so whatever it dated until then is refused; what it makes from
the next second on is taken again. A key counts, too, and comes with a token of its own: whether the token is
bound to the key is checked before a proof is brought here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ostiary.oauth.errors import InvalidDpopProof

if TYPE_CHECKING:
    from ostiary.oauth.resource_server.dpop_proof import VerifiedProof

MOST_REMEMBERED = 200_000
"""Keys and proofs, together."""
ROOM = MOST_REMEMBERED // 8
"""What is made free at once, so that it is done seldom."""
SPAN = 360.0
"""Seconds within which a proof ends that is taken now; what ends within one of them is forgotten together."""


@dataclass(slots=True)
class _Key:
    """The proofs of one key that end within a span."""

    names: set[bytes] = field(default_factory=set)
    newest: float = 0.0
    """When the last of them ends, in seconds since the epoch."""
    given_up: float = 0.0
    """What ends by then is refused, as it may have come."""


@dataclass(slots=True)
class _Generation:
    keys: dict[str, _Key] = field(default_factory=dict)
    """By thumbprint."""
    held: int = 0

    def has(self, jkt: str, name: bytes) -> bool:
        key = self.keys.get(jkt)
        return key is not None and name in key.names

    def add(self, jkt: str, name: bytes, until: float) -> None:
        """Raises InvalidDpopProof for what may have come."""
        key = self.keys.get(jkt)
        if key is None:
            key = self.keys[jkt] = _Key()
            self.held += 1
        if until <= key.given_up:
            raise InvalidDpopProof("too many proofs of one key; make a new one in a second")
        key.names.add(name)
        key.newest = max(key.newest, until)
        self.held += 1

    def give_up(self, key: _Key) -> int:
        """How many places that makes."""
        freed, key.names, key.given_up = len(key.names), set(), key.newest
        self.held -= freed
        return freed


class MemoryReplayStore:
    """In this process: a replica of it does not know them."""

    def __init__(self) -> None:
        self._generations: dict[int, _Generation] = {}

    async def take(self, proof: VerifiedProof, *, until: float, now: float) -> bool:
        """As of every ReplayStore. Raises InvalidDpopProof when there are too many."""
        self._forget_ended(now)
        name = sha256(proof.jti.encode()).digest()[:16]
        if any(generation.has(proof.jkt, name) for generation in self._generations.values()):
            return False
        if sum(generation.held for generation in self._generations.values()) >= MOST_REMEMBERED - 1:
            self._make_room()
        self._generations.setdefault(int(until // SPAN), _Generation()).add(proof.jkt, name, until)
        return True

    def _forget_ended(self, now: float) -> None:
        for ended in [number for number in self._generations if number < now // SPAN]:
            del self._generations[ended]

    def _make_room(self) -> None:
        generations = self._generations.values()
        if sum(generation.held - len(generation.keys) for generation in generations) < ROOM:
            raise InvalidDpopProof("too many proofs at once; try again")
        keys = [(generation, key) for generation in generations for key in generation.keys.values()]
        keys.sort(key=lambda one: len(one[1].names), reverse=True)
        freed = 0
        for generation, key in keys:
            if freed >= ROOM:
                return
            freed += generation.give_up(key)
