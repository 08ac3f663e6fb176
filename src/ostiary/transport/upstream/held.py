"""Room for large answers: what of one server's is held at once, while it comes and until it has gone on.

An answer that grows large is read on when there is room for all of it. So whatever is begun can be ended, and
a server whose answers are many and long keeps its own callers waiting, and nobody else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ostiary.inline_coroutines import InlineFuture

LARGE = 256 * 1024
"""What is longer needs room. What is not is bounded by the number of connections."""


class Room:
    """Room for one answer, given back when nobody holds it any more: it goes where the answer goes."""

    __slots__ = ("_held", "_size")

    def __init__(self, held: HeldAnswers, size: int) -> None:
        self._held = held
        self._size = size

    def __del__(self) -> None:
        self._held.give_back(self._size)


class HeldAnswers:
    """The large answers of one server."""

    def __init__(self, most_bytes: int) -> None:
        self._free = self._most = most_bytes
        self._waiting: deque[tuple[int, Callable[[Room], None]]] = deque()
        self._is_giving = False

    def ask(self, size: int, given: Callable[[Room], None]) -> None:
        """Call `given` when there is room for so many bytes: at once, or after those who asked before."""
        self._waiting.append((min(size, self._most), given))
        self._give()

    async def room(self, size: int) -> Room:
        """The same for an inline coroutine."""
        future: InlineFuture[Room] = InlineFuture()
        self.ask(size, future.set)
        return await future

    def give_back(self, size: int) -> None:
        """So much is held no more."""
        self._free += size
        self._give()

    def _give(self) -> None:
        if self._is_giving:  # what is given may be given back at once, by who has left
            return
        self._is_giving = True
        try:
            while self._waiting and self._waiting[0][0] <= self._free:
                size, given = self._waiting.popleft()
                self._free -= size
                given(Room(self, size))
        finally:
            self._is_giving = False
