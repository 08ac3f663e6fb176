"""Lines in, messages out, and the other way round, until standard input ends.

What the client sends goes out in its order; each answer is waited for aside, so that the next may follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from ostiary.cli.bridging.requests import Requests
from ostiary.cli.bridging.stdio import MessageOutput, lines_of_stdin
from ostiary.cli.gateway_within import gateway_within
from ostiary.gateway import record
from ostiary.inline_coroutines import as_future
from ostiary.mcp.errors import InternalError, McpError, NotOneRequest, ParseError
from ostiary.mcp.events import KEEP_ALIVE, EventReader
from ostiary.mcp.legacy_client.requests import withdrawn_request
from ostiary.mcp.messages import Message, read_message
from ostiary.mcp.raw_object import read_members, read_string, write_object
from ostiary.mcp.server_message import read_server_message
from ostiary.mcp.subscriptions import LISTEN
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.telemetry.redaction import without_tokens
from ostiary.transport.event_loop import has_started
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ostiary.cli.target import ChosenServer
    from ostiary.gateway.one_server import OneServer
    from ostiary.transport.inline_http import Request

DRAIN_SECONDS = 5.0
"""How long answers may still come once standard input has ended."""
PATIENCE = timedelta(days=1)
"""For an answer. A program that says nothing is started in vain, so there its own time counts."""
_OUR_ERROR = b'"error":{"code":-3201'


async def bridge(chosen: ChosenServer) -> None:
    """Carry messages between standard input and output and the server, until standard input ends."""
    output = MessageOutput()
    patience = None if chosen.url is None else PATIENCE
    async with chosen.runtime() as runtime, gateway_within(chosen, runtime, patience=patience) as server:
        has_started()
        await _Bridge(server, output).run()


class _Bridge:
    def __init__(self, server: OneServer, output: MessageOutput) -> None:
        self._server = server
        self._output = output
        self._requests = Requests(server.endpoint)
        self._tasks = asyncio.TaskGroup()
        self._writing = asyncio.Lock()
        self._beginning: asyncio.Task[None] | None = None
        """The handshake, which what follows waits for."""
        self._has_ended = False
        """Whether standard input has."""
        self._answers: dict[bytes, asyncio.Task[None]] = {}
        self._endless: set[asyncio.Task[None]] = set()
        self._modern: dict[bytes, asyncio.Task[None]] = {}
        """Requests that end with their task: nobody is told that they are cancelled."""

    async def run(self) -> None:
        """Carry messages both ways until one side has ended."""
        try:
            async with self._tasks:
                await self._carry_lines()
                self._has_ended = True
                if waited_for := set(self._answers.values()) - self._endless:
                    await asyncio.wait(waited_for, timeout=DRAIN_SECONDS)
                for task in (*self._answers.values(), *self._endless):
                    task.cancel()
        except* BrokenPipeError:
            pass  # the client has gone without a word

    async def _carry_lines(self) -> None:
        async for line in lines_of_stdin():
            try:
                message = read_message(line)
            except NotOneRequest:
                self._tasks.create_task(self._carry(line, None))
            except McpError as error:
                await self._tell(_unreadable(line, error))
            else:
                if message.id is not None:
                    self._await_answer(line, message)
                elif not self._hung_up(message):
                    self._tasks.create_task(self._carry(line, message))

    def _await_answer(self, line: bytes, message: Message) -> None:
        message_id = message.id or b""
        if (earlier := self._answers.get(message_id)) is not None:  # the id is this request's from now on
            earlier.cancel()
        task = self._tasks.create_task(self._carry(line, message))
        self._answers[message_id] = task
        if message.method == b"initialize":
            self._beginning = task
        elif message.method == LISTEN:
            self._endless.add(task)
        if message.meta.version is not None:
            self._modern[message_id] = task
        task.add_done_callback(lambda done: self._ended(message_id, done))

    def _ended(self, message_id: bytes, task: asyncio.Task[None]) -> None:
        self._endless.discard(task)
        if self._answers.get(message_id) is task:
            del self._answers[message_id]
            self._modern.pop(message_id, None)

    def _hung_up(self, message: Message) -> bool:
        """Whether leaving it is how a request is cancelled, and all that there is to do."""
        if message.method != b"notifications/cancelled":
            return False
        task = self._modern.get(withdrawn_request(message.params))
        return task is not None and task.cancel()

    async def _carry(self, line: bytes, message: Message | None) -> None:
        """Send a line on, and tell what comes back. message: None for a batch, or an answer of the client."""
        if self._beginning is not None and asyncio.current_task() is not self._beginning:
            await asyncio.wait([self._beginning])
        request = self._requests.post(line, message)
        is_asking = line.lstrip().startswith(b"[") if message is None else message.id is not None
        try:
            async with contextlib.aclosing(self._answer(request, message)) as told:
                async for text in told:
                    if is_asking:
                        await self._tell(text)
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                raise
            record.crashed(error)
            if message is not None and message.id is not None:
                broken = InternalError("something broke in the bridge; its log says what")
                await self._tell(broken.to_json(message.id))
        if message is not None and message.method == b"notifications/initialized" and not self._has_ended:
            self._endless.add(self._tasks.create_task(self._listen()))

    async def _listen(self) -> None:
        """Tell what the server says unasked."""
        async with contextlib.aclosing(self._answer(self._requests.listen(), None)) as told:
            async for text in told:
                await self._tell(text)

    async def _answer(self, request: Request, message: Message | None) -> AsyncGenerator[bytes]:
        """The messages that answer a request."""
        asking = as_future(request.door(request))
        try:
            answer = await asking
        except asyncio.CancelledError:
            if not asking.cancelled() and isinstance(late := asking.result(), StreamedAnswer):
                late.close()  # it came in the very turn in which nobody waits for it any more
            raise
        method = b"" if message is None else message.method
        if isinstance(answer, Answer):
            if method == b"initialize":
                self._requests.begun(answer.headers)
            if answer.body and request.body is not None:  # who may not listen needs no reason
                yield self._noted(method, answer.body)
            return
        reader = EventReader(sys.maxsize)  # what reads the server has bounded it
        try:
            async for chunk in answer.chunks:
                for text in reader.feed(chunk):
                    if text != KEEP_ALIVE:
                        yield self._noted(method, text)
        finally:
            answer.close()

    def _noted(self, method: bytes, text: bytes) -> bytes:
        if method == b"tools/list":
            self._requests.listed(text)
        return text

    async def _tell(self, text: bytes) -> None:
        shown = self._without_secrets(text) if _OUR_ERROR in text else text
        async with self._writing:
            await self._output.write(b" ".join(shown.splitlines()))

    def _without_secrets(self, text: bytes) -> bytes:
        """An error of ours, which may quote the server, without what the server was sent."""
        try:
            answer = read_members(text)
            error = read_members(answer["error"])
            said = without_echoes(read_string(error.get("message"), "message"), self._server.sent)
        except (McpError, KeyError):
            return text
        shown = msgspec.json.encode(without_tokens(said))
        return write_object({**answer, "error": write_object({**error, "message": shown})})


def _unreadable(line: bytes, error: McpError) -> bytes:
    """The answer to a line that is no message, or to a request with a fault."""
    with contextlib.suppress(McpError):
        message_id = bytes(read_server_message(line).id)
        if message_id:
            return error.to_json(message_id)
    return ParseError("the line is not a JSON-RPC message").to_json()
