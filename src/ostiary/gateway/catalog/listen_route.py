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
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import COMMENT, STREAM_HEADERS
from ostiary.gateway.errors import TryLater
from ostiary.gateway.policy.access import use_of
from ostiary.gateway.upstreams.server import Server
from ostiary.identity.principal import Principal
from ostiary.mcp.change_notices import Change, no_more
from ostiary.mcp.errors import InvalidParams
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
        self._most_of_server = most_of_server
        self._most_of_caller = most_of_caller
        self._feeds: dict[tuple[str, Hashable], ChangeFeed] = {}
        self._of_server: Counter[str] = Counter()
        self._of_caller: Counter[Hashable] = Counter()

    def come(self, account: Hashable) -> None:
        """Somebody listens once more. Raises TryLater."""
        if self._of_caller[account] >= self._most_of_caller:
            later = TryLater(f"you listen {self._most_of_caller} times already: end one of these first")
            later.headers = b"retry-after: 1\r\n"
            raise later
        self._of_caller[account] += 1

    def go(self, account: Hashable) -> None:
        """Somebody listens once less."""
        self._of_caller[account] -= 1
        if not self._of_caller[account]:
            del self._of_caller[account]

    def of(self, server: Server, call: Call) -> ChangeFeed | None:
        """What tells this caller of this server; None when too many hear too different things of it."""
        key = server.name, server.whose(call)
        if key not in self._feeds:
            if self._of_server[server.name] >= self._most_of_server:
                return None
            self._of_server[server.name] += 1
            self._feeds[key] = ChangeFeed(server, key[1], self._last, lambda: self._end(key))
        return self._feeds[key]

    def close(self) -> None:
        """Tell nobody any more."""
        for feed in list(self._feeds.values()):
            feed.close()

    def _end(self, key: tuple[str, Hashable]) -> None:
        if self._feeds.pop(key, None) is not None:
            self._of_server[key[0]] -= 1


@dataclass(frozen=True, slots=True)
class ListenRoute:
    """A route to all servers. clock: seconds since the epoch, by which tokens expire."""

    servers: Mapping[str, Server]
    names: ListedNames
    feeds: ChangeFeeds
    switches: frozenset[str]
    """What may change here."""
    clock: Callable[[], float]
    authorizer: Authorizer | None = None

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """A stream of notices. Raises InvalidParams or TryLater."""
        wanted = read_subscription(call.message)
        wanted = Subscription(wanted.switches & self.switches, wanted.resources)
        listening = _Listening(call, self.feeds)
        try:
            heard = await self._join(wanted, listening)
        except BaseException:
            listening.end()
            raise
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
    """One caller who listens: what is still to be told, and who tells."""

    def __init__(self, call: Call, feeds: ChangeFeeds) -> None:
        """Raises TryLater."""
        self.call = call
        self._feeds = feeds
        self._joined: list[tuple[ChangeFeed, Listener]] = []
        self._untold: dict[Change, None] = {}
        self._wake = asyncio.Event()
        self._has_ended = False
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

    def end(self) -> None:
        """Nobody listens any more."""
        if not self._has_ended:
            self._has_ended = True
            self._wake.set()
            for feed, listener in self._joined:
                feed.leave(listener)
            self._feeds.go(self.call.account)

    async def events(self, heard: Subscription, until: float | None) -> AsyncIterator[bytes]:
        """What goes out. heard: what will be told; until: for so many seconds, if not for ever."""
        loop = asyncio.get_running_loop()
        last = None if until is None else loop.time() + until
        yield write_event(heard.acknowledged(self.call.id))
        while not self._has_ended and (last is None or loop.time() < last):
            silence = ALIVE_SECONDS if last is None else min(ALIVE_SECONDS, last - loop.time())
            try:
                async with asyncio.timeout(silence):
                    await self._wake.wait()
            except TimeoutError:
                yield COMMENT
            self._wake.clear()
            untold, self._untold = self._untold, {}
            for change in untold:
                yield write_event(change.notice(self.call.id))
        result = no_more(self.call.id, SERVER_INFO)
        yield write_event(write_answer(self.call.id, "result", result))

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        self._untold[change] = None
        if len(self._untold) > MOST_UNREAD:
            self._has_ended = True  # whoever does not read finds out by listening again
        self._wake.set()
