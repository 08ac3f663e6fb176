"""Lines in, messages out, and the other way round, until standard input ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types import (
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from ostiary.cli.bridging.http import TellingClient
from ostiary.cli.bridging.routing import Routing
from ostiary.cli.bridging.stdio import MessageOutput, lines_of_stdin

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

    from ostiary.diagnosis.target import ServerTarget

DRAIN_SECONDS = 5.0
"""How long answers may still come once standard input has ended."""
ENDLESS = "subscriptions/listen"
"""The request whose answer ends with the client only."""
log = logging.getLogger("ostiary.bridge")


async def bridge(target: ServerTarget) -> None:
    """Carry messages between standard input and output and the server, until standard input ends."""
    output = MessageOutput()
    async with (
        target.runtime() as runtime,
        TellingClient(target, runtime) as http,
        streamable_http_client(str(target.url), http_client=http) as streams,
    ):
        await _Bridge(streams, output).run()


class _Bridge:
    def __init__(self, streams: TransportStreams, output: MessageOutput) -> None:
        self._from_server, self._to_server = streams
        self._output = output
        self._routing = Routing()
        self._waiting: set[RequestId] = set()
        self._drained = asyncio.Event()

    async def run(self) -> None:
        """Carry messages both ways until one side has ended."""
        answers = asyncio.create_task(self._carry_answers())
        questions = asyncio.create_task(self._carry_questions())
        try:
            await asyncio.wait({answers, questions}, return_when=asyncio.FIRST_COMPLETED)
            if questions.done():
                questions.result()
                await self._drain()
            else:
                answers.result()
        except BrokenPipeError:
            return  # the client has gone without a word
        finally:
            for task in (answers, questions):
                task.cancel()
            await asyncio.gather(answers, questions, return_exceptions=True)

    async def _carry_questions(self) -> None:
        async for line in lines_of_stdin():
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValidationError:
                error = ErrorData(code=PARSE_ERROR, message="the line is not a JSON-RPC message")
                await self._tell(JSONRPCError(jsonrpc="2.0", id=None, error=error))
                continue
            if isinstance(message, JSONRPCRequest) and message.method != ENDLESS:
                self._waiting.add(message.id)
            metadata = ClientMessageMetadata(headers=self._routing.to_server(message))
            await self._to_server.send(SessionMessage(message, metadata))

    async def _carry_answers(self) -> None:
        async for received in self._from_server:
            if isinstance(received, Exception):
                log.warning("the server sent what is no message: %s", type(received).__name__)
                continue
            self._routing.to_client(received.message)
            await self._tell(received.message)
            if isinstance(received.message, JSONRPCResponse | JSONRPCError):
                self._waiting.discard(received.message.id)
                if not self._waiting:
                    self._drained.set()

    async def _drain(self) -> None:
        if self._waiting:
            self._drained.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._drained.wait()

    async def _tell(self, message: JSONRPCMessage) -> None:
        await self._output.write(message.model_dump_json(by_alias=True, exclude_unset=True).encode())
