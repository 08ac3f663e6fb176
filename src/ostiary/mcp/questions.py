"""What a server of MCP 2025-11-25 and before asks its client while it works, asked the modern way.

A legacy server sends a request and waits for its answer. A modern one answers the call with its questions
(`input_required`), and the call comes again with what was said to them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ostiary.mcp.eras import SERVER_INFO_KEY
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Members, Raw, read_members, write_object
from ostiary.mcp.request_state import INPUT_REQUIRED, REQUESTS_KEY, RESPONSES_KEY, RESULT_TYPE_KEY, STATE_KEY

CAPABILITY_OF = {
    "elicitation/create": "elicitation",
    "roots/list": "roots",
    "sampling/createMessage": "sampling",
}
"""What may be asked → what a client must be able to do."""
_NOT_OF_MODERN = frozenset({"_meta", "elicitationId", "task"})


def may_be_asked(capabilities: Raw, method: str, params: Raw) -> bool:
    """Whether a client with these raw capabilities answers this.

    Who can elicit fills in forms, unless it says that it does something else alone.
    """
    try:
        declared = read_members(capabilities)
        capability = CAPABILITY_OF[method]
        if capability != "elicitation" or capability not in declared:
            return capability in declared
        modes = read_members(declared[capability])
        mode = bytes(read_members(params or b"{}").get("mode", b'"form"'))
    except (KeyError, McpError):
        return False
    if mode == b'"form"':
        return "form" in modes or not modes
    return mode == b'"url"' and "url" in modes


def question(method: str, params: Raw) -> bytes:
    """The request as one of `inputRequests`. Raises ParseError or InvalidRequest."""
    asked: dict[str, Raw] = {"method": msgspec.json.encode(method)}
    if params:
        asked["params"] = write_object(
            {name: raw for name, raw in read_members(params).items() if name not in _NOT_OF_MODERN}
        )
    return write_object(asked)


def input_required(questions: Mapping[str, bytes], state: str | None, server_info: bytes | None) -> bytes:
    """The result that asks. questions: raw, by the names under which they are answered."""
    result: dict[str, Raw] = {RESULT_TYPE_KEY: INPUT_REQUIRED, REQUESTS_KEY: write_object(questions)}
    if state is not None:
        result[STATE_KEY] = msgspec.json.encode(state)
    if server_info is not None:
        result["_meta"] = write_object({SERVER_INFO_KEY: server_info})
    return write_object(result)


def responses(message: Message) -> Members:
    """What was said, raw, by the names of the questions. Raises InvalidParams."""
    try:
        return read_members(message.params.get(RESPONSES_KEY, b"{}"))
    except McpError:
        raise InvalidParams(f"params.{RESPONSES_KEY} must be an object") from None


def is_accepted(response: Raw) -> bool:
    """Whether a person who was shown a page went there."""
    try:
        return bytes(read_members(response).get("action", b"")) == b'"accept"'
    except McpError:
        return False


def response_to(request_id: bytes, said: Raw) -> bytes:
    """The answer to the server's request with this raw id. Raises InvalidParams for what is no object."""
    try:
        read_members(said)
    except McpError:
        raise InvalidParams(f"each of params.{RESPONSES_KEY} must be an object") from None
    return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (request_id, said)


def refusal_of(request_id: bytes, code: int, message: str) -> bytes:
    """The answer to a request of the server that nobody answers."""
    error = msgspec.json.encode({"code": code, "message": message})
    return b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (request_id, error)
