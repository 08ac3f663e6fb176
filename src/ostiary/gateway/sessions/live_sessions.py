"""What this replica knows of sessions while they are used: a log level, subscriptions, what is under way.

A session without any of that is not here, and one that has been idle for longest makes way, of whoever has
most. It goes on all the same, as one that has said nothing: its id holds the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ostiary.gateway.errors import SessionUnknown, TryLater
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.legacy_client.requests import UNASKED_LEVEL
from ostiary.mcp.raw_object import Raw

if TYPE_CHECKING:
    from ostiary.gateway.sessions.listen_stream import ListenStream

MOST_IDLE = 10_000
"""Sessions of all callers whose wishes are remembered while they are idle."""
MOST_ENDED = 10_000
"""Sessions that were ended and are remembered as such, until their ids are over."""
MOST_RESOURCES = 100
RESOURCE_BYTES = 8 * 1024
"""What one session may subscribe to: URIs, all together."""
MOST_WAITING_BYTES = 8 * 1024 * 1024
"""What is held of one caller's calls while their clients are asked something."""
WAITING_BYTES = 16 * 1024
"""What such a call is counted as, beside its parameters."""


class Running(Protocol):
    """A request under way."""

    def withdraw(self) -> None:
        """Its client wants no answer any more."""


class LiveSession:
    """One session in use."""

    __slots__ = ("asked", "level", "listening", "resources", "running")

    def __init__(self) -> None:
        self.level: str = UNASKED_LEVEL
        self.resources: dict[str, None] = {}
        """URIs that it wants to hear of, in their order."""
        self.running: dict[bytes, Running] = {}
        """By the raw ids of their requests."""
        self.asked: dict[str, asyncio.Future[tuple[str, Raw]]] = {}
        """What its client was asked, by the ids of our requests: its ("result" or "error", raw value)."""
        self.listening: ListenStream | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in it."""
        return bool(self.running or self.asked or self.listening)

    @property
    def is_usual(self) -> bool:
        """Whether a session that was just begun would be the same."""
        return self.level == UNASKED_LEVEL and not self.resources

    def subscribe(self, uri: str) -> None:
        """It wants to hear of this resource. Raises InvalidParams."""
        if uri in self.resources:
            return
        if len(self.resources) >= MOST_RESOURCES:
            raise InvalidParams(
                f"a session may subscribe to {MOST_RESOURCES} resources: unsubscribe from one"
            )
        if sum(map(len, self.resources)) + len(uri) > RESOURCE_BYTES:
            raise InvalidParams(f"the URIs that a session subscribes to may have {RESOURCE_BYTES} characters")
        self.resources[uri] = None

    def end(self) -> None:
        """Whatever goes on in it goes on no more."""
        for running in list(self.running.values()):
            running.withdraw()
        if self.listening is not None:
            self.listening.end()


class LiveSessions:
    """Of all callers and endpoints of a gateway."""

    def __init__(self, most_streams: int) -> None:
        """most_streams: on which one caller's clients listen at once."""
        self.most_streams = most_streams
        self._streams: Counter[Hashable] = Counter()
        self._busy: dict[str, LiveSession] = {}
        self._users: Counter[str] = Counter()
        self._idle: dict[Hashable, OrderedDict[str, LiveSession]] = {}
        self._idle_count = 0
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._waiting: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._busy) + self._idle_count

    @property
    def streams(self) -> int:
        """On which clients listen."""
        return self._streams.total()

    def require(self, key: str) -> None:
        """Raise SessionUnknown for one that was ended."""
        if key in self._ended:
            raise SessionUnknown

    def enter(self, key: str, account: Hashable) -> LiveSession:
        """The session with this key, which is in use until `leave` is called as often."""
        self._users[key] += 1
        live = self._busy.get(key)
        if live is None:
            live = self._busy[key] = self._take_idle(key, account) or LiveSession()
        return live

    def leave(self, key: str, account: Hashable) -> None:
        """Whoever entered it is done."""
        self._users[key] -= 1
        if self._users[key]:
            return
        del self._users[key]
        live = self._busy.pop(key)
        if key not in self._ended and not live.is_usual:
            self._idle.setdefault(account, OrderedDict())[key] = live
            self._idle_count += 1
            if self._idle_count > MOST_IDLE:
                self._make_room()

    @contextmanager
    def using(self, key: str, account: Hashable) -> Iterator[LiveSession]:
        """The session with this key, for so long."""
        live = self.enter(key, account)
        try:
            yield live
        finally:
            self.leave(key, account)

    def end(self, key: str, account: Hashable) -> None:
        """Its client is done with it."""
        self._ended[key] = None
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        live = self._busy.get(key) or self._take_idle(key, account)
        if live is not None:
            live.end()

    def open_stream(self, account: Hashable) -> None:
        """One of its clients begins to listen, until `close_stream`. Raises TryLater."""
        if self._streams[account] >= self.most_streams:
            raise TryLater(f"{self.most_streams} of your clients listen already: close one")
        self._streams[account] += 1

    def close_stream(self, account: Hashable) -> None:
        """One of its clients listens no more."""
        self._streams[account] -= 1
        if not self._streams[account]:
            del self._streams[account]

    @contextmanager
    def waiting(self, account: Hashable, size: int) -> Iterator[None]:
        """Hold a call of so many bytes while its client is asked something. Raises TryLater."""
        size += WAITING_BYTES
        if self._waiting[account] + size > MOST_WAITING_BYTES:
            raise TryLater("too many of your calls wait for answers of your clients: answer them first")
        self._waiting[account] += size
        try:
            yield
        finally:
            self._waiting[account] -= size
            if not self._waiting[account]:
                del self._waiting[account]

    def _take_idle(self, key: str, account: Hashable) -> LiveSession | None:
        found = self._idle.get(account)
        live = None if found is None else found.pop(key, None)
        if found is not None and not found:
            del self._idle[account]
        if live is not None:
            self._idle_count -= 1
        return live

    def _make_room(self) -> None:
        account, sessions = max(self._idle.items(), key=lambda item: len(item[1]))
        sessions.popitem(last=False)
        self._idle_count -= 1
        if not sessions:
            del self._idle[account]
