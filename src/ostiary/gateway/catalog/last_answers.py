"""What servers said last of what they have, for the time in which they fail: bounded, and nobody else's.

What a server says to one caller with that caller's own credential is kept for that caller alone. Nobody has
more than a share of what is kept, so that none of theirs takes anything away from others.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

SHARES = 8
"""Of all that is kept, one owner has no more than this part."""
MOST_SLOW = 10_000
"""Servers that kept somebody waiting, of all callers."""


class AnswerKey(NamedTuple):
    """Which answer: of which server, to whom (None for everybody), to which method."""

    server: Hashable
    whose: Hashable
    method: str


class _Kept(NamedTuple):
    answer: Any
    size: int
    since: float


class LastAnswers:
    """Those of all servers. clock: in seconds."""

    def __init__(self, *, kept_for: float, most_bytes: int, clock: Callable[[], float]) -> None:
        """kept_for: seconds for which an answer stands in for a server; most_bytes: of all answers."""
        self.kept_for = kept_for
        self.most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[AnswerKey, _Kept] = OrderedDict()
        self._bytes = 0
        self._bytes_of: Counter[Hashable] = Counter()

    def keep(self, key: AnswerKey, answer: Any, size: int) -> None:
        """Keep what a server said, of about so many bytes, in place of what it said before."""
        self.forget(key)
        share = self.most_bytes // SHARES if key.whose is not None else self.most_bytes
        if size > share or not self.kept_for:
            return
        self._kept[key] = _Kept(answer, size, self._clock())
        self._bytes += size
        self._bytes_of[key.whose] += size
        while self._bytes_of[key.whose] > share:
            self.forget(next(one for one in self._kept if one.whose == key.whose))
        while self._bytes > self.most_bytes:
            self.forget(next(iter(self._kept)))

    def find(self, key: AnswerKey) -> Any | None:
        """What the server said, if it is not too long ago."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._clock() - kept.since > self.kept_for:
            self.forget(key)
            return None
        return kept.answer

    def forget(self, key: AnswerKey) -> None:
        """Keep it no longer."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size
            self._bytes_of[key.whose] -= kept.size
            if not self._bytes_of[key.whose]:
                del self._bytes_of[key.whose]

    def forget_server(self, server: Hashable) -> None:
        """It is there no longer."""
        for key in [key for key in self._kept if key.server == server]:
            self.forget(key)


class SlowServers:
    """Which servers kept which callers waiting, and have not answered them since."""

    def __init__(self) -> None:
        self._slow: OrderedDict[tuple[str, Hashable], None] = OrderedDict()

    def __contains__(self, key: tuple[str, Hashable]) -> bool:
        return key in self._slow

    def add(self, server: str, account: Hashable) -> None:
        """It did not answer this caller in time."""
        self._slow[server, account] = None
        if len(self._slow) > MOST_SLOW:
            self._slow.popitem(last=False)

    def discard(self, server: str, account: Hashable) -> None:
        """It answered."""
        if self._slow:
            self._slow.pop((server, account), None)
