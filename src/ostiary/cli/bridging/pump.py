"""Lines in, messages out, and the other way round, until standard input ends.

What the client sends goes out in its order; each answer is waited for aside, so that the next may follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from ostiary.cli.bridging.http import TellingClient
from ostiary.cli.bridging.routing import Routing, version_of
from ostiary.cli.bridging.stdio import MessageOutput, lines_of_stdin
from ostiary.cli.mcp_client.messages import (
    PARSE_ERROR,
    Message,
    MessageId,
    NoMessage,
    error_answer,
    is_request,
    read_message,
)
from ostiary.cli.mcp_client.routing_headers import VERSION
from ostiary.cli.mcp_client.streamable_http import StreamableHttp
from ostiary.transport.event_loop import has_started

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ostiary.diagnosis.target import ServerTarget

DRAIN_SECONDS = 5.0
"""How long answers may still come once standard input has ended."""
ENDLESS = "subscriptions/listen"
"""The request whose answer ends with the client only."""
CANCELLED = "notifications/cancelled"


async def bridge(target: ServerTarget) -> None:
    """Carry messages between standard input and output and the server, until standard input ends."""
    output = MessageOutput()
    async with target.runtime() as runtime, TellingClient(target, runtime) as http:
        server = StreamableHttp(http, str(target.url))
        has_started()
        try:
            await _Bridge(server, output).run()
        finally:
            await server.end()


class _Bridge:
    def __init__(self, server: StreamableHttp, output: MessageOutput) -> None:
        self._server = server
        self._output = output
        self._routing = Routing()
        self._tasks = asyncio.TaskGroup()
        self._writing = asyncio.Lock()
        self._answers: dict[MessageId, asyncio.Task[None]] = {}
        self._endless: set[asyncio.Task[None]] = set()
        self._modern: set[MessageId] = set()
        """Requests that end with their connection: nobody is told that they are cancelled."""
        self._is_modern = False

    async def run(self) -> None:
        """Carry messages both ways until one side has ended."""
        try:
            async with self._tasks:
                await self._carry_questions()
                if waited_for := set(self._answers.values()) - self._endless:
                    await asyncio.wait(waited_for, timeout=DRAIN_SECONDS)
                for task in (*self._answers.values(), *self._endless):
                    task.cancel()
        except* BrokenPipeError:
            pass  # the client has gone without a word

    async def _carry_questions(self) -> None:
        async for line in lines_of_stdin():
            try:
                message = read_message(line)
            except NoMessage:
                await self._tell(error_answer(None, PARSE_ERROR, "the line is not a JSON-RPC message"))
                continue
            if message.get("method") != CANCELLED or not self._hung_up(message):
                await self._carry_question(message)

    async def _carry_question(self, message: Message) -> None:
        method, headers = message.get("method"), self._routing.to_server(message)
        self._is_modern = version_of(message) is not None
        self._server.version = None if method == "initialize" else headers.get(VERSION, self._server.version)
        if is_request(message):
            self._await_answer(message, headers)
            return
        if method == "notifications/initialized":
            self._endless.add(self._tasks.create_task(self._carry(self._server.listen())))
        await self._carry(self._server.send(message, headers))

    def _await_answer(self, message: Message, headers: dict[str, str]) -> None:
        message_id = message["id"]
        if (earlier := self._answers.get(message_id)) is not None:  # the id is this request's from now on
            earlier.cancel()
        task = self._tasks.create_task(self._carry(self._server.send(message, headers)))
        self._answers[message_id] = task
        if message["method"] == ENDLESS:
            self._endless.add(task)
        if self._is_modern:
            self._modern.add(message_id)
        task.add_done_callback(lambda done: self._ended(message_id, done))

    def _ended(self, message_id: MessageId, task: asyncio.Task[None]) -> None:
        self._endless.discard(task)
        if self._answers.get(message_id) is task:
            del self._answers[message_id]
            self._modern.discard(message_id)

    def _hung_up(self, cancelled: Message) -> bool:
        """Whether closing its connection is how the request is cancelled, and all that there is to do."""
        params = cancelled.get("params") or {}
        message_id = params.get("requestId")
        task = self._answers.get(message_id) if isinstance(message_id, str | int) else None
        if task is None:
            return self._is_modern
        if message_id in self._modern:
            task.cancel()
            return True
        return False

    async def _carry(self, said: AsyncGenerator[Message]) -> None:
        async with contextlib.aclosing(said):
            async for message in said:
                self._routing.to_client(message)
                await self._tell(message)

    async def _tell(self, message: Message) -> None:
        async with self._writing:
            await self._output.write(json.dumps(message, separators=(",", ":")).encode())
