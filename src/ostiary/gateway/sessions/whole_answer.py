"""What a route answers to a question of ours, whole."""

from __future__ import annotations

import asyncio
import sys

from ostiary.gateway.errors import BadAnswer, ServerTimedOut
from ostiary.mcp.errors import McpError
from ostiary.mcp.events import KEEP_ALIVE, EventReader
from ostiary.mcp.messages import read_answer
from ostiary.mcp.raw_object import Raw
from ostiary.mcp.server_message import read_server_message
from ostiary.transport.inline_http import Answer, StreamedAnswer

WITHIN = 30.0
"""Seconds that a server may talk before it answers."""


async def whole_answer(answer: Answer | StreamedAnswer, message_id: bytes) -> tuple[str, Raw]:
    """("result" or "error", its raw value). Raises GatewayError."""
    try:
        if isinstance(answer, Answer):
            return read_answer(answer.body, message_id)
        return await _out_of(answer, message_id)
    except McpError as error:
        raise BadAnswer(error.message) from None


async def _out_of(answer: StreamedAnswer, message_id: bytes) -> tuple[str, Raw]:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + WITHIN
    reader = EventReader(sys.maxsize)  # what reads the server has bounded it
    try:
        async for chunk in answer.chunks:
            if loop.time() > give_up_at:
                raise ServerTimedOut(f"the server talks, and does not answer within {WITHIN:g} s")
            for data in reader.feed(chunk):
                if data != KEEP_ALIVE and not (message := read_server_message(data)).has_method:
                    return message.answer_to(message_id)
    finally:
        answer.close()
    raise BadAnswer("the server's stream ended before its answer")
