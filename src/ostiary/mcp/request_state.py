"""What a server asks to hear again when its question has been answered (MCP 2026-07-28, `requestState`).

A client brings it back as it was, beside the answers, in the same request once more. Whoever stands between
must not let it be brought back by somebody else, elsewhere, or with other parameters.
"""

from __future__ import annotations

import hashlib

import msgspec

from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Members, Raw, RawObject, read_string, write_object

STATE_KEY = "requestState"
RESPONSES_KEY = "inputResponses"
REQUESTS_KEY = "inputRequests"
RESULT_TYPE_KEY = "resultType"
INPUT_REQUIRED = b'"input_required"'
LONGEST_SORTED = 64 * 1024
_NOT_ASKED_FOR = frozenset({STATE_KEY, RESPONSES_KEY, "_meta"})


def may_ask(result: Raw) -> bool:
    """Whether it is worth a closer look: few results ask anything."""
    return bytes(result).find(INPUT_REQUIRED) >= 0


def read_state(members: Members) -> str | None:
    """The state in a result that asks; None in all others. Raises InvalidRequest."""
    if bytes(members.get(RESULT_TYPE_KEY, b"")) != INPUT_REQUIRED or STATE_KEY not in members:
        return None
    return read_string(members[STATE_KEY], STATE_KEY)


def with_state(result: Raw, state: str) -> bytes:
    """The result with another state."""
    return RawObject(result).with_member(STATE_KEY, msgspec.json.encode(state))


def brought_state(message: Message) -> str | None:
    """The state that a request brings back. Raises InvalidParams."""
    raw = message.params.get(STATE_KEY)
    if raw is None:
        return None
    try:
        return read_string(raw, f"params.{STATE_KEY}")
    except InvalidRequest as error:
        raise InvalidParams(error.message) from None


def with_brought_state(message: Message, state: str) -> Message:
    """The request as it brings back another state."""
    params: dict[str, Raw] = {**message.params, STATE_KEY: msgspec.json.encode(state)}
    return Message(message.method, message.id, write_object(params))


def what_is_asked(message: Message) -> bytes:
    """A digest of method and parameters: the same when it is asked again.

    In whatever order and with whatever spaces short ones are written; long ones have to be the same text.
    """
    asked = {name: raw for name, raw in sorted(message.params.items()) if name not in _NOT_ASKED_FOR}
    text = write_object(asked)
    if len(text) <= LONGEST_SORTED:
        text = _sorted(text)
    return hashlib.sha256(message.method + b"\0" + text).digest()


def _sorted(text: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidParams("params are not well-formed JSON") from None
