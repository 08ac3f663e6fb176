"""`subscriptions/listen` at an endpoint of many servers: one stream here for what all of them tell."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.change_feed import ChangeFeed, Listener
from ostiary.gateway.catalog.last_answers import LastAnswers
from ostiary.gateway.catalog.listed_names import ListedNames
from ostiary.gateway.catalog.permitted import visible
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.standing_streams import Follow, StandingStreams
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import COMMENT, STREAM_HEADERS
from ostiary.gateway.errors import TryLater
from ostiary.gateway.policy.access import use_of
from ostiary.gateway.upstreams.server import Server
from ostiary.identity.principal import Principal
from ostiary.inline_coroutines import as_future
from ostiary.mcp.change_notices import Change, no_more
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.events import write_event
from ostiary.mcp.messages import Message, write_answer
from ostiary.mcp.subscriptions import Subscription, read_subscription
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer

ALIVE_SECONDS = 15.0
"""How often a silent stream says that it is there."""
MOST_UNREAD = 2000
"""Notices that wait for one who does not read; a stream with more ends."""


class ChangeFeeds:
    """Those of all servers, while somebody listens. most_of_server, most_of_caller: how many there may be."""

    def __init__(self, last: LastAnswers, *, most_of_server: int, most_of_caller: int) -> None:
        self._last = last
        self.most_of_server = most_of_server
        self.most_of_caller = most_of_caller
        self._feeds: dict[tuple[Server, Hashable], ChangeFeed] = {}
        self._of_server: Counter[Server] = Counter()
        self._of_caller: Counter[Hashable] = Counter()

    def come(self, account: Hashable) -> None:
        """Somebody listens once more. Raises TryLater."""
        if self._of_caller[account] >= self.most_of_caller:
            later = TryLater(f"you listen {self.most_of_caller} times already: end one of these first")
            later.headers = b"retry-after: 1\r\n"
            raise later
        self._of_caller[account] += 1

    def go(self, account: Hashable) -> None:
        """Somebody listens once less."""
        self._of_caller[account] -= 1
        if not self._of_caller[account]:
            del self._of_caller[account]

    @property
    def listeners(self) -> int:
        """How often somebody listens."""
        return self._of_caller.total()

    def of(self, server: Server, call: Call) -> ChangeFeed | None:
        """What tells this caller of this server; None when too many hear too different things of it."""
        key = server, server.whose(call)
        if key not in self._feeds:
            if self._of_server[server] >= self.most_of_server:
                return None
            self._of_server[server] += 1
            self._feeds[key] = ChangeFeed(server, key[1], self._last, lambda: self._end(key))
        return self._feeds[key]

    def close(self) -> None:
        """Tell nobody any more."""
        for feed in list(self._feeds.values()):
            feed.close()

    def _end(self, key: tuple[Server, Hashable]) -> None:
        if self._feeds.pop(key, None) is not None:
            self._of_server[key[0]] -= 1
            if not self._of_server[key[0]]:
                del self._of_server[key[0]]


@dataclass(frozen=True, slots=True)
class ListenRoute:
    """A route to all servers. clock: seconds since the epoch, by which tokens expire."""

    servers: Mapping[str, Server]
    names: ListedNames
    feeds: ChangeFeeds
    switches: frozenset[str]
    """What may change here."""
    clock: Callable[[], float]
    standing: StandingStreams
    authorizer: Authorizer | None = None

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """A stream of notices. Raises InvalidParams or TryLater."""
        wanted = read_subscription(call.message)
        wanted = Subscription(wanted.switches & self.switches, wanted.resources)
        listening = call.listening if isinstance(call, _Moved) else _Listening(call, self.feeds)
        try:
            heard = await self._join(wanted, listening)
        except BaseException:
            listening.end()
            raise
        listening.stand(self.standing, heard)
        until = None if call.principal is None else call.principal.expires_at - self.clock()
        return StreamedAnswer(200, listening.events(heard, until), STREAM_HEADERS, listening.end, True)

    async def _join(self, wanted: Subscription, listening: _Listening) -> Subscription:
        """Have each server's changes told, as far as they are: what will be."""
        principal = listening.call.principal
        seen = visible(tuple(self.servers.values()), self.authorizer, principal)
        owned: dict[str, dict[str, str]] = {server.name: {} for server in seen}
        for uri in wanted.resources:
            try:
                server, own = self.names.names.split("resources", uri)
            except InvalidParams:
                continue
            if server in owned and self._may_read(principal, server, own):
                owned[server][own] = uri
        heard: set[str] = set()
        for name, here in owned.items():
            feed = self.feeds.of(self.servers[name], listening.call) if wanted.switches or here else None
            if feed is not None:
                subscription = Subscription(wanted.switches, tuple(here))
                await listening.join(feed, subscription, self.names, partial(self._here, principal, name))
                heard.update(here.values())
        return Subscription(wanted.switches, tuple(uri for uri in wanted.resources if uri in heard))

    def _here(self, principal: Principal | None, server: str, change: Change) -> Change | None:
        """The change as it is called here; None where its listener may not hear of it any more."""
        uri = change.uri
        if uri is None:
            return change
        if not self._may_read(principal, server, uri):
            return None
        return Change(uri=self.names.names.here("resources", server, uri))

    def _may_read(self, principal: Principal | None, server: str, own: str) -> bool:
        return self.authorizer is None or self.authorizer.allows(principal, use_of("resources", server, own))


class _Listening:
    """One caller who listens: what is still to be told, and who tells. It goes on where its endpoint does."""

    def __init__(self, call: Call, feeds: ChangeFeeds) -> None:
        """Raises TryLater."""
        self.call = call
        self._feeds = feeds
        self._joined: list[tuple[ChangeFeed, Listener]] = []
        self._untold: dict[Change, None] = {}
        self._wake = asyncio.Event()
        self._is_over = False
        self._has_left = False
        self._standing: StandingStreams | None = None
        self._heard: frozenset[str] = frozenset()
        self._is_moved = False
        self._follow: Follow | None = None
        feeds.come(call.account)

    async def join(
        self,
        feed: ChangeFeed,
        subscription: Subscription,
        names: ListedNames,
        here: Callable[[Change], Change | None],
    ) -> None:
        """Be told of a server's changes. here: a change as it is called at this endpoint, if it is told."""
        listener = Listener(self.call, subscription, names, lambda change: self._tell(here(change)))
        self._joined.append((feed, listener))
        await feed.join(listener)

    def stand(self, standing: StandingStreams, heard: Subscription) -> None:
        """It has begun at this endpoint."""
        self._standing, self._heard = standing, heard.switches
        standing.add(self)

    def move(self, follow: Follow | None) -> None:
        """As of every Standing."""
        self._is_moved, self._follow = True, follow
        self._wake.set()

    def end(self) -> None:
        """Nobody listens any more."""
        self._is_over = True
        if self._has_left:
            return
        self._has_left = True
        self._wake.set()
        if self._standing is not None:
            self._standing.discard(self)
        _leave(self._joined)
        self._feeds.go(self.call.account)

    async def events(self, heard: Subscription, until: float | None) -> AsyncIterator[bytes]:
        """What goes out. heard: what will be told; until: for so many seconds, if not for ever."""
        loop = asyncio.get_running_loop()
        last = None if until is None else loop.time() + until
        yield write_event(heard.acknowledged(self.call.id))
        while not self._is_over and (last is None or loop.time() < last):
            silence = ALIVE_SECONDS if last is None else min(ALIVE_SECONDS, last - loop.time())
            try:
                async with asyncio.timeout(silence):
                    await self._wake.wait()
            except TimeoutError:
                yield COMMENT
            self._wake.clear()
            if self._is_moved:
                await self._go_on()
            untold, self._untold = self._untold, {}
            for change in untold:
                yield write_event(change.notice(self.call.id))
        result = no_more(self.call.id, SERVER_INFO)
        yield write_event(write_answer(self.call.id, "result", result))

    async def _go_on(self) -> None:
        """Listen where the endpoint is now; all that is heard may be another there."""
        follow, self._is_moved, self._follow = self._follow, False, None
        before, self._joined = self._joined, []
        answer: Answer | StreamedAnswer | None = None
        try:
            if follow is not None:
                answer = await as_future(follow(_Moved(self)))
        except McpError:
            pass  # whoever listens again finds out why
        finally:
            _leave(before)
        if not isinstance(answer, StreamedAnswer):
            self.end()
            return
        for switch in sorted(self._heard):
            self._tell(Change(switch))

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        self._untold[change] = None
        if len(self._untold) > MOST_UNREAD:
            self._is_over = True  # whoever does not read finds out by listening again
        self._wake.set()


class _Moved(Call):
    """The call of one who listens already, and goes on at another endpoint."""

    __slots__ = ("listening",)

    def __init__(self, listening: _Listening) -> None:
        call = listening.call
        super().__init__(call.message, call.principal, call.request, call.session)
        self.listening = listening


def _leave(joined: list[tuple[ChangeFeed, Listener]]) -> None:
    for feed, listener in joined:
        feed.leave(listener)
