"""One message of a server, as JSON; and the errors that stand for an answer that never comes."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]
MessageId = str | int

INVALID_REQUEST, METHOD_NOT_FOUND, INTERNAL_ERROR, PARSE_ERROR = -32600, -32601, -32603, -32700
CONNECTION_CLOSED, REQUEST_TIMEOUT, UNSUPPORTED_VERSION = -32000, -32001, -32022


class NoMessage(ValueError):
    """What came is no JSON-RPC message."""


def read_message(text: bytes | str) -> Message:
    """Read a request, a notification or an answer. Raises NoMessage."""
    try:
        read = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise NoMessage("it is no JSON") from None
    if not isinstance(read, dict) or read.get("jsonrpc") != "2.0":
        raise NoMessage("it is no JSON-RPC message")
    if not (_is_call(read) if "method" in read else _is_answer(read)):
        raise NoMessage("it is no JSON-RPC message")
    return read


def is_request(message: Message) -> bool:
    """Whether it wants an answer."""
    return "method" in message and "id" in message


def is_answer(message: Message) -> bool:
    """Whether it is one."""
    return "method" not in message


def error_answer(message_id: Any, code: int, said: str) -> Message:
    """An error, as the answer to a request."""
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": said}}


def _is_call(message: Message) -> bool:
    return (
        isinstance(message["method"], str)
        and isinstance(message.get("params", {}), dict | None)
        and ("id" not in message or _is_id(message["id"]))
    )


def _is_answer(message: Message) -> bool:
    error = message.get("error")
    if isinstance(error, dict):
        whole = isinstance(error.get("code"), int) and isinstance(error.get("message"), str)
        return whole and (message.get("id") is None or _is_id(message["id"]))
    return isinstance(message.get("result"), dict) and _is_id(message.get("id"))


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _no_number(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity, which Python alone takes for JSON
