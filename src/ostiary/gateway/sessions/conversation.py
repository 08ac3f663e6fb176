"""One request of a legacy client, from its modern form to the answer that the client reads.

A server that wants to know something first answers with questions (`input_required`). They go to the client
as requests on the stream that answers its own, it answers them by POSTs of their own, and the call goes to
the server once more. All that is told meanwhile (progress, log messages) passes as it comes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ostiary.gateway import record
from ostiary.gateway.catalog.translate import COMMENT, STREAM_HEADERS
from ostiary.gateway.errors import BadAnswer, GatewayError, ScopesLacking
from ostiary.gateway.sessions.asking import Asking
from ostiary.inline_coroutines import InlineStep, step
from ostiary.mcp.errors import InternalError, McpError
from ostiary.mcp.events import KEEP_ALIVE, EventReader, write_event
from ostiary.mcp.legacy_client.answers import asks, legacy_code, legacy_error, legacy_result
from ostiary.mcp.legacy_client.questions import (
    Questions,
    read_questions,
)
from ostiary.mcp.messages import read_answer, write_answer
from ostiary.mcp.raw_object import Raw, read_members
from ostiary.mcp.server_message import read_server_message
from ostiary.transport.inline_http import Answer, StreamedAnswer, close_stream

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.live_routes import LiveRoutes
    from ostiary.gateway.sessions.live_sessions import LiveSession, LiveSessions
    from ostiary.gateway.sessions.parameters import Parameters
    from ostiary.gateway.sessions.session import Session


class _Withdrawn(Exception):
    """The client wants no answer any more."""


class Conversation:
    """One request under way. call: in its modern form."""

    def __init__(
        self,
        call: Call,
        routes: LiveRoutes,
        parameters: Parameters,
        session: Session,
        live: LiveSession,
        sessions: LiveSessions,
    ) -> None:
        self._call = call
        self._parameters = parameters
        self._method = call.message.method
        self._routes = routes
        self._session = session
        self._live = live
        self._sessions = sessions
        self._is_withdrawn = False
        self._step: InlineStep[Answer | StreamedAnswer] | asyncio.Future[Answer | StreamedAnswer] | None = (
            None
        )
        self._streaming: StreamedAnswer | None = None
        self._last: bytes | Questions | None = None
        self._task: asyncio.Task[None] | None = None
        """What sends the stream, while it waits for us."""
        self._sessions.enter(session.key, call.account)
        self._live.running[call.id] = self

    async def begin(self) -> Answer | StreamedAnswer:
        """The client's answer. Raises nothing but what is a fault of ours. To be awaited inline."""
        goes_on = False
        try:
            told = await self._answered(self._call)
            if isinstance(told, bytes):
                return Answer(200, told)
            goes_on = True
            return self._streamed(told)
        except _Withdrawn:
            return Answer(202, b"", b"")  # what was taken back is not answered
        except McpError as error:
            headers = error.headers if isinstance(error, GatewayError) else b""
            status = error.status if isinstance(error, ScopesLacking) else 200
            return Answer(status, self._refusal(error), b"content-type: application/json\r\n" + headers)
        finally:
            if not goes_on:
                self._end()

    def withdraw(self) -> None:
        """Its client wants no answer any more."""
        self._is_withdrawn = True
        if self._step is not None:
            self._step.cancel()
        elif self._task is not None:
            self._task.cancel()

    async def _answered(self, call: Call) -> bytes | Questions | StreamedAnswer:
        """The answer as the client reads it, or what is to be told or asked first. Raises as `_follow`."""
        answer = await self._follow(self._parameters.put_on(call))
        if isinstance(answer, StreamedAnswer):
            return answer
        kind, value = read_answer(answer.body, call.id)
        if kind == "error" and await self._parameters.learn(call, kind, value):
            answer = await self._follow(self._parameters.put_on(call))
            if isinstance(answer, StreamedAnswer):
                return answer
            kind, value = read_answer(answer.body, call.id)
        return self._read(kind, value)

    async def _follow(self, call: Call) -> Answer | StreamedAnswer:
        """What the route gives. Raises McpError, _Withdrawn."""
        if self._is_withdrawn:
            raise _Withdrawn
        following = self._step = step(self._routes.follow(call))
        try:
            return await following
        except (GeneratorExit, asyncio.CancelledError):
            _stop(following)
            if self._is_withdrawn:
                raise _Withdrawn from None
            raise
        finally:
            self._step = None

    @property
    def _held(self) -> int:
        """Bytes of the call that are kept for the next time."""
        return sum(map(len, self._call.message.params.values()))

    def _end(self) -> None:
        if self._live.running.get(self._call.id) is self:
            del self._live.running[self._call.id]
        self._sessions.leave(self._session.key, self._call.account)

    # what is told at the end

    def _read(self, kind: str, value: Raw) -> bytes | Questions:
        """The whole message for the client, or what it is asked first. Raises McpError."""
        try:
            if kind == "error":
                return write_answer(self._call.id, kind, legacy_error(self._method, value))
            result = read_members(value)
            if asks(result):
                return read_questions(result)
            return write_answer(self._call.id, kind, legacy_result(self._method, result))
        except McpError as error:
            raise BadAnswer(f"the server's answer cannot be told: {error.message}") from None

    def _refusal(self, error: McpError) -> bytes:
        code = legacy_code(self._method, error.code)
        return error.to_json(self._call.id, code=code)

    # what is told on the way

    def _streamed(self, first: StreamedAnswer | Questions) -> StreamedAnswer:
        if isinstance(first, StreamedAnswer):
            self._streaming = first
        return StreamedAnswer(200, self._told(first), STREAM_HEADERS, self._close)

    def _close(self) -> None:
        if self._streaming is not None:
            self._streaming.close()
        self._end()

    async def _told(self, first: StreamedAnswer | Questions) -> AsyncIterator[bytes]:
        """The events of the answer. Ends without an answer where the client has taken its request back."""
        task = asyncio.current_task()
        async with aclosing(self._events(first)) as events:
            while True:
                self._task = task
                try:
                    event = await anext(events, None)
                except asyncio.CancelledError:
                    if task is None or not self._is_withdrawn:
                        raise
                    task.uncancel()
                    return
                finally:
                    self._task = None
                if event is None or self._is_withdrawn:
                    return
                yield event

    async def _events(self, first: StreamedAnswer | Questions) -> AsyncGenerator[bytes]:
        try:
            async with aclosing(self._rounds(first)) as events:
                async for event in events:
                    yield event
        except _Withdrawn:
            return
        except McpError as error:
            yield write_event(self._refusal(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours: told in the log, not to the client
            record.crashed(error)
            broken = InternalError("something broke in the gateway; its log says what")
            yield write_event(self._refusal(broken))

    async def _rounds(self, told: bytes | Questions | StreamedAnswer) -> AsyncGenerator[bytes]:
        """All that is told, up to the answer. Raises McpError, _Withdrawn."""
        asking = Asking(self._session.introduction.capabilities, self._live)
        while True:
            if isinstance(told, StreamedAnswer):
                async with aclosing(self._messages(told)) as messages:
                    async for message in messages:
                        yield message
                told = self._last_message()
            if isinstance(told, bytes):
                break
            with self._sessions.waiting(self._call.account, self._held):
                async with aclosing(asking.events(told)) as events:
                    async for event in events:
                        yield event
            told = await self._answered(self._call.about(told.answered(self._call.message, asking.responses)))
        for done in asking.done():
            yield write_event(done)
        yield write_event(told)

    async def _messages(self, answer: StreamedAnswer) -> AsyncGenerator[bytes]:
        """What is told on the way, as events. Leaves the answer for `_last_message`."""
        reader = EventReader(sys.maxsize)  # what reads the server has bounded it
        self._streaming = answer
        try:
            async for chunk in answer.chunks:
                for data in reader.feed(chunk):
                    if data == KEEP_ALIVE:
                        yield COMMENT
                    elif (message := read_server_message(data)).has_method:
                        yield write_event(data)
                    else:
                        self._last = self._read(*message.answer_to(self._call.id))
                        return
        finally:
            self._streaming = None
            answer.close()

    def _last_message(self) -> bytes | Questions:
        last, self._last = self._last, None
        if last is None:
            raise BadAnswer("the server's stream ended before its answer")
        return last


def _stop(following: InlineStep[Answer | StreamedAnswer] | asyncio.Future[Answer | StreamedAnswer]) -> None:
    if isinstance(following, InlineStep):
        following.cancel()
    elif not following.cancel() and not following.cancelled() and following.exception() is None:
        close_stream(following.result())  # it came in the very turn in which nobody waits for it any more
