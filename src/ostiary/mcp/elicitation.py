"""A person is asked to open a page, and then the call goes on. MCP 2026-07-28, elicitation in URL mode.

The server answers a call with `input_required`; the client shows its person the page, and calls again with
what they said to it. Whose page it is, the browser that opens it proves: nothing in the URL opens anything.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ostiary.mcp.eras import CAPABILITIES_KEY, SERVER_INFO_KEY
from ostiary.mcp.errors import McpError
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Members, Raw, read_members, write_object
from ostiary.mcp.request_state import RESPONSES_KEY

ASKING_METHODS = frozenset({b"tools/call", b"prompts/get", b"resources/read"})
"""What may be answered with a question."""
OPEN_KEY = "dev.ostiary/open"
"""The name of our question among those of a call: whatever is behind us never hears of it."""

_OBJECT = re.compile(rb"\s*\{")


def may_be_asked_to_open(message: Message) -> bool:
    """Whether the call may be answered with a question, and its client can show a page."""
    if message.method not in ASKING_METHODS:
        return False
    elicitation = _member(message.meta.members.get(CAPABILITIES_KEY, b"{}"), "elicitation")
    return elicitation is not None and _member(elicitation, "url") is not None


def ask_to_open(url: str, why: str, server_info: dict[str, Any]) -> bytes:
    """The result that asks. why: told to the person beside the URL."""
    question = {"method": "elicitation/create", "params": {"mode": "url", "message": why, "url": url}}
    return msgspec.json.encode(
        {
            "resultType": "input_required",
            "inputRequests": {OPEN_KEY: question},
            "_meta": {SERVER_INFO_KEY: server_info},
        }
    )


def refused_to_open(message: Message) -> bool:
    """Whether the person was asked already, and would not."""
    ours = _responses(message).get(OPEN_KEY)
    return ours is not None and _members(ours).get("action") != msgspec.Raw(b'"accept"')


def without_our_answer(message: Message) -> Message:
    """The call as if we had not asked."""
    responses = _responses(message)
    if responses.pop(OPEN_KEY, None) is None:
        return message
    params: dict[str, Raw] = {**message.params}
    if responses:
        params[RESPONSES_KEY] = write_object(responses)
    else:
        del params[RESPONSES_KEY]
    return Message(message.method, message.id, write_object(params))


def _responses(message: Message) -> Members:
    return _members(message.params.get(RESPONSES_KEY, b"{}"))


def _members(raw: Raw) -> Members:
    """Of what is an object; what else it may be is for whoever asked to judge."""
    try:
        return read_members(raw)
    except McpError:
        return {}


def _member(raw: Raw, name: str) -> Raw | None:
    """A member that is an object; None for all else."""
    found = _members(raw).get(name)
    return found if found is not None and _OBJECT.match(bytes(found)) else None
