"""What one server tells of changes, to all who may hear the same: one stream there, however many listen here.

A server that says that a list changed is asked for it, and whoever listens is told if what they see of it is
another. A stream that breaks off is opened again, after pauses that grow; lists show what changed meanwhile.
Where somebody wants to hear of more than the stream tells, another is opened before the first is closed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from dataclasses import dataclass, field

from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.last_answers import AnswerKey, LastAnswers
from ostiary.gateway.catalog.listed_names import ListedNames
from ostiary.gateway.catalog.questions import listening_stream, whole_list
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import as_future, taken
from ostiary.mcp.change_notices import LISTS, Change, read_change, whole_and_parts
from ostiary.mcp.errors import InvalidRequest, McpError, MethodNotFound
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong
from ostiary.mcp.merging import LIST_KINDS, ServerList
from ostiary.mcp.raw_object import read_string
from ostiary.mcp.server_message import read_server_message
from ostiary.mcp.subscriptions import ACKNOWLEDGED, Subscription
from ostiary.transport.upstream import UpstreamFailed

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
TOGETHER = 0.2
"""Seconds in which changes of a list, and wishes of further listeners, are taken together."""
LONGEST_NOTICE = 64 * 1024
"""Bytes of an event: it names a list, or a URI."""
NOTHING = Subscription(frozenset(), ())


@dataclass(slots=True, eq=False)
class Listener:
    """One who listens here to one server, whose own URIs the subscription has.

    names: of the endpoint, so of what they see; seen: list → the digest of what they see of it.
    """

    call: Call
    subscription: Subscription
    names: ListedNames
    tell: Callable[[Change], None]
    uris: frozenset[str] = field(init=False)
    seen: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uris = frozenset(self.subscription.resources)


@dataclass(slots=True, eq=False)
class _Hearing:
    """One stream at the server. is_seamless: another one told all until it began."""

    subscription: Subscription
    is_seamless: bool
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it was acknowledged, and when it ended."""
    is_acknowledged: bool = False
    is_refused: bool = False
    """Whether the server has nothing of the kind."""


class ChangeFeed:
    """One server's, as those hear it to whom it says the same."""

    def __init__(self, server: Server, whose: Hashable, last: LastAnswers, left: Callable[[], None]) -> None:
        """whose: to whom the server says this; left: called when nobody listens any more."""
        self._server = server
        self._whose = whose
        self._last = last
        self._left = left
        self._listeners: dict[Listener, None] = {}
        self._digests: dict[tuple[ListedNames, str], bytes] = {}
        self._unsure: set[str] = set()
        self._more = asyncio.Event()
        self._told = NOTHING
        self._has_heard = False
        self._running: asyncio.Task[None] | None = None
        self._comparing: asyncio.Task[None] | None = None

    async def join(self, listener: Listener) -> None:
        """Tell somebody from now on. Awaited in an inline coroutine."""
        for switch in listener.subscription.switches:
            for method in LISTS[switch]:
                digest = await self._digest(listener, method)
                if digest is not None:
                    listener.seen[method] = digest
        self._listeners[listener] = None
        if not _is_within(listener.subscription, self._told):
            self._more.set()
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())

    def leave(self, listener: Listener) -> None:
        """Tell somebody no more."""
        self._listeners.pop(listener, None)
        if not self._listeners:
            self.close()

    def close(self) -> None:
        """Tell nobody any more."""
        self._listeners.clear()
        for task in (self._running, self._comparing):
            if task is not None:
                task.cancel()
        self._left()

    async def _digest(self, listener: Listener, method: str) -> bytes | None:
        """Of what they have seen of a list by now; None when that is not known."""
        key = (listener.names, method)
        if key not in self._digests:
            listed: ServerList | None = self._last.find(AnswerKey(self._server, self._whose, method))
            if listed is None:
                return None
            question = listener.names.question(listener.call, LIST_KINDS[method])
            self._digests[key] = (await question.own(self._server, listed)).digest
        return self._digests[key]

    # the stream

    async def _run(self) -> None:
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        hearing: asyncio.Task[_Hearing] | None = None
        try:
            while self._listeners:
                began = loop.time()
                hearing, opened = await self._open(hearing), hearing
                if opened is not None:
                    opened.cancel()
                more = loop.create_task(self._more.wait())
                try:
                    await asyncio.wait({hearing, more}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    more.cancel()
                if not hearing.done():
                    await asyncio.sleep(TOGETHER)
                    continue
                heard, hearing, self._told = hearing.result(), None, NOTHING
                if heard.is_refused:
                    return
                if heard.is_acknowledged and loop.time() - began > pause:
                    pause = FIRST_PAUSE
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that not all come at once
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            if hearing is not None:
                hearing.cancel()

    async def _open(self, before: asyncio.Task[_Hearing] | None) -> asyncio.Task[_Hearing]:
        """A stream for all that is wanted now, when it has begun or failed."""
        self._more.clear()
        wanted = _together(self._listeners)
        hearing = _Hearing(wanted, is_seamless=before is not None)
        call = next(reversed(self._listeners)).call  # whose token was good last
        task = asyncio.get_running_loop().create_task(self._hear(hearing, call))
        try:
            await hearing.begun.wait()
        except BaseException:
            task.cancel()
            raise
        self._told = wanted
        return task

    async def _hear(self, hearing: _Hearing, call: Call) -> _Hearing:
        try:
            stream = await taken(
                listening_stream(call, self._server, hearing.subscription), lambda stream: stream.close()
            )
            stream.may_be_silent()
            try:
                reader = EventReader(LONGEST_NOTICE)
                async for chunk in stream:
                    if any(self._is_last(data, hearing) for data in reader.feed(chunk)):
                        break
            finally:
                stream.close()
        except MethodNotFound:
            hearing.is_refused = True
        except UpstreamFailed as error:
            self._server.failure(error)
        except (McpError, EventTooLong):
            pass  # it is asked again
        finally:
            hearing.begun.set()
        return hearing

    def _is_last(self, data: bytes, hearing: _Hearing) -> bool:
        """Take what the stream says; whether it is what it ends with. Raises InvalidRequest."""
        if data == KEEP_ALIVE:
            return False
        message = read_server_message(data)
        if not message.has_method:
            return True
        method = read_string(message.method, "method")
        if message.is_request:
            record.request_dropped(self._server.name, method)
            return False
        if not hearing.is_acknowledged:
            if method.encode() != ACKNOWLEDGED:
                raise InvalidRequest("a subscription begins with its acknowledgement")
            self._begin(hearing)
        change = read_change(message)
        if change is not None and change.uri is not None:
            self._update(change)
        elif change is not None:
            self._look(change.switch)
        return False

    def _begin(self, hearing: _Hearing) -> None:
        """From now on nothing is missed. What was before, lists show; of resources nobody knows."""
        has_gap = self._has_heard and not hearing.is_seamless
        self._has_heard = True
        hearing.is_acknowledged = True
        hearing.begun.set()
        told = self._told.switches if hearing.is_seamless else frozenset()
        for switch in hearing.subscription.switches - told:
            self._look(switch)
        if has_gap:
            for uri in hearing.subscription.resources:
                self._update(Change(uri=uri))

    def _update(self, change: Change) -> None:
        named = whole_and_parts(change.uri or "")
        for listener in self._listeners:
            if not listener.uris.isdisjoint(named):
                listener.tell(change)

    # the lists

    def _look(self, switch: str) -> None:
        self._unsure.update(LISTS[switch])
        if self._comparing is None or self._comparing.done():
            self._comparing = asyncio.get_running_loop().create_task(self._compare())

    async def _compare(self) -> None:
        pause = TOGETHER
        while self._unsure and self._listeners:
            await asyncio.sleep(pause)
            unsure, self._unsure = self._unsure, set()
            for method in sorted(unsure):
                try:
                    async with asyncio.timeout(self._server.timeout_of(method)):
                        await self._compare_list(method)
                except (McpError, TimeoutError):
                    self._unsure.add(method)
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE) if self._unsure & unsure else TOGETHER

    async def _compare_list(self, method: str) -> None:
        """Tell whoever sees another list than before. Raises McpError."""
        if not self._listeners:
            return
        kind = LIST_KINDS[method]
        call = next(reversed(self._listeners)).call
        call = call.about(call.message.asking(method))
        with ExitStack() as held:
            listed = await as_future(whole_list(call, self._server, kind, held)) or ServerList()
            for names in {listener.names for listener in self._listeners}:
                own = await as_future(names.question(call, kind).own(self._server, listed))
                names.learn(call, self._server, kind, own)
                self._digests[names, method] = own.digest
        self._last.keep(AnswerKey(self._server, self._whose, method), listed, listed.size)
        switch = next(switch for switch, methods in LISTS.items() if method in methods)
        for listener in self._listeners:
            digest = self._digests.get((listener.names, method))
            before = listener.seen.get(method)
            if digest is not None and switch in listener.subscription.switches:
                listener.seen[method] = digest
                if before is not None and before != digest:
                    listener.tell(Change(switch))


def _together(listeners: dict[Listener, None]) -> Subscription:
    subscriptions = [listener.subscription for listener in listeners]
    return Subscription(
        frozenset(switch for one in subscriptions for switch in one.switches),
        tuple(dict.fromkeys(uri for one in subscriptions for uri in one.resources)),
    )


def _is_within(one: Subscription, other: Subscription) -> bool:
    return one.switches <= other.switches and set(one.resources) <= set(other.resources)
