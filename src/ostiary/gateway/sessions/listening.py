"""What servers tell unasked, heard once for all sessions of a caller: one `subscriptions/listen` an endpoint.

It wants to hear of all lists, and of the resources of all those sessions. Where servers break off, they are
asked again after a while, and everybody is told that everything may have changed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Hashable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from ostiary.gateway.errors import ServerTimedOut
from ostiary.gateway.sessions.listen_stream import ListenStream
from ostiary.inline_coroutines import taken
from ostiary.mcp.change_notices import Change
from ostiary.mcp.errors import McpError, MethodNotFound
from ostiary.mcp.events import KEEP_ALIVE, EventReader
from ostiary.mcp.legacy_client.answers import error_code
from ostiary.mcp.legacy_client.notices import (
    acknowledged_switches,
    everything,
    readable_change,
    whole_subscription,
)
from ostiary.mcp.legacy_client.requests import asking
from ostiary.mcp.messages import read_answer
from ostiary.mcp.raw_object import Raw
from ostiary.mcp.server_message import ServerMessage, read_server_message
from ostiary.mcp.subscriptions import LISTEN
from ostiary.transport.inline_http import StreamedAnswer, close_stream

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.routes import Routes

HEARD_WITHIN = 5.0
"""Seconds that a client waits at most until its new subscription is heard."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until servers that broke off are asked again, doubled each time."""


class Listening:
    """Of one endpoint."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._ears: dict[Hashable, _Ear] = {}

    def join(self, stream: ListenStream, sender: Mapping[str, bytes]) -> None:
        """Let a stream hear, until it is left. sender: what requests say of its client."""
        account = stream.call.account
        ear = self._ears.get(account)
        if ear is None:
            ear = self._ears[account] = _Ear(self._routes)

        def left() -> None:
            if not ear.leave(stream) and self._ears.get(account) is ear:
                del self._ears[account]

        stream.left = left
        ear.join(stream, sender)

    def end_streams(self) -> None:
        """Whoever listens has to come again."""
        for ear in list(self._ears.values()):
            ear.end_streams()

    async def renew(self, stream: ListenStream) -> None:
        """It wants to hear of more. Returns when that is heard, or will not be for now."""
        ear = self._ears.get(stream.call.account)
        if ear is not None:
            await ear.hear(stream)


class _Ear:
    """Of all sessions of one caller."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._streams: dict[ListenStream, Mapping[str, bytes]] = {}
        self._owner: ListenStream | None = None
        """On whose call the servers are listened to."""
        self._resources: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def join(self, stream: ListenStream, sender: Mapping[str, bytes]) -> None:
        self._streams[stream] = sender
        if self._owner is None or not self._resources.issuperset(stream.resources):
            self._begin(stream)

    def leave(self, stream: ListenStream) -> bool:
        """Whether anybody is left."""
        del self._streams[stream]
        if stream is self._owner:
            other = next(iter(self._streams), None)
            if other is not None:
                self._begin(other)
            elif self._task is not None:
                self._task.cancel()
        return bool(self._streams)

    def end_streams(self) -> None:
        for stream in list(self._streams):
            stream.end()

    async def hear(self, stream: ListenStream) -> None:
        if self._resources.issuperset(stream.resources):
            return
        heard = self._begin(stream)
        timer = asyncio.get_running_loop().call_later(HEARD_WITHIN, _settle, heard)
        try:
            await heard
        finally:
            timer.cancel()

    def _begin(self, owner: ListenStream) -> asyncio.Future[None]:
        """Listen anew. The future is done when that is heard, or will not be for now."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        before, self._owner = self._task, owner
        self._resources = frozenset(uri for stream in self._streams for uri in stream.resources)
        self._task = loop.create_task(self._listen(owner.call, self._streams[owner], heard))
        self._task.add_done_callback(lambda _: _settle(heard))  # a task that never began settles nothing
        if before is not None:
            heard.add_done_callback(lambda _: before.cancel())  # until then it hears what happens
        return heard

    async def _listen(self, call: Call, sender: Mapping[str, bytes], heard: asyncio.Future[None]) -> None:
        resources = self._resources
        loop = asyncio.get_running_loop()
        pause, has_missed = FIRST_PAUSE, False
        while True:
            begun = loop.time()
            try:
                async with aclosing(self._messages(call, sender)) as messages:
                    async for message in messages:
                        switches = acknowledged_switches(message)
                        if switches is not None:
                            if has_missed:
                                self._tell(*everything(switches, resources))
                            pause, has_missed = FIRST_PAUSE, False
                            _settle(heard)
                        elif (change := readable_change(message)) is not None:
                            self._tell(change)
                has_missed = True
            except ServerTimedOut:  # it had nothing to say
                if loop.time() - begun > FIRST_PAUSE:
                    continue
            except MethodNotFound:  # it never has
                return
            except McpError:
                has_missed = True
            finally:
                _settle(heard)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _messages(self, call: Call, sender: Mapping[str, bytes]) -> AsyncGenerator[ServerMessage]:
        """What the servers tell. Raises McpError."""
        wanted = whole_subscription(self._resources).written()
        message = asking(LISTEN, sender, {"notifications": wanted})
        answer = await taken(self._routes.route(message).follow(call.about(message)), close_stream)
        if not isinstance(answer, StreamedAnswer):
            _refuse(*read_answer(answer.body, message.id or b""))
            return
        reader = EventReader(sys.maxsize)  # what reads the servers has bounded it
        try:
            async for chunk in answer.chunks:
                for data in reader.feed(chunk):
                    if data == KEEP_ALIVE:
                        continue
                    told = read_server_message(data)
                    if not told.has_method:
                        _refuse(*told.answer_to(message.id or b""))
                        return
                    yield told
        finally:
            answer.close()

    def _tell(self, *changes: Change) -> None:
        for change in changes:
            for stream in self._streams:
                stream.tell(change)


def _refuse(kind: str, value: Raw) -> None:
    """Raise for an error what it means for whoever listens."""
    if kind != "error":
        return
    code = error_code(value)
    if code == MethodNotFound.code:
        raise MethodNotFound("nobody tells of changes here")
    if code == ServerTimedOut.code:
        raise ServerTimedOut("it said nothing for a while")
    raise McpError("the servers told no more")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
