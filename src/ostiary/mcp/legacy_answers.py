"""What a server of MCP 2025-11-25 and before answers, as a modern one would have said it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ostiary.mcp.eras import SERVER_INFO_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest, McpError, MethodNotFound, ParseError
from ostiary.mcp.raw_object import Raw, RawObject, read_items, read_members, write_object
from ostiary.mcp.request_state import RESULT_TYPE_KEY

RESOURCE_NOT_FOUND = -32002
URL_ELICITATION_REQUIRED = -32042
"""Codes of 2025-11-25 that 2026-07-28 has not."""
CACHEABLE = frozenset(
    b"tools/list prompts/list resources/list resources/templates/list resources/read".split()
)
"""Methods whose results say for how long, and for whom, they may be kept."""
STATUS_OF_CODE: Mapping[int, int] = {
    MethodNotFound.code: MethodNotFound.status,
    InvalidParams.code: InvalidParams.status,
}
"""With which HTTP status modern servers send an error, where it is not 200."""
_END = re.compile(rb"[ \t\r\n]*\}")
_ABSENT = msgspec.Raw(b"")


def modern_result(method: bytes, result: Raw, server_info: bytes | None) -> bytes:
    """The result, complete and nobody's but the caller's. Raises ParseError or InvalidRequest."""
    added: dict[str, Raw] = {RESULT_TYPE_KEY: b'"complete"'}
    if method in CACHEABLE:
        added["ttlMs"], added["cacheScope"] = b"0", b'"private"'
    if server_info is not None:
        added["_meta"] = write_object({SERVER_INFO_KEY: server_info})
    if _has_none_of_these(result):
        text = bytes(result)
        rest = text[text.index(b"{") + 1 :]
        return b"%s%s%s" % (write_object(added)[:-1], b"" if _END.match(rest) else b",", rest)
    members = read_members(result)
    if "_meta" in members and server_info is not None:
        added["_meta"] = write_object({**read_members(members["_meta"]), SERVER_INFO_KEY: server_info})
    return write_object({**members, **added})


def _has_none_of_these(result: Raw) -> bool:
    """Whether what is added is not there, as in most results, of which some are large."""
    try:
        found = _ADDED.decode(result)
    except msgspec.ValidationError:
        raise InvalidRequest("a JSON object is wanted here") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ParseError("the result is not well-formed JSON") from None
    return not (found.kind or found.ttl or found.scope or found.meta)


class _Added(msgspec.Struct):
    kind: msgspec.Raw = msgspec.field(default=_ABSENT, name=RESULT_TYPE_KEY)
    ttl: msgspec.Raw = msgspec.field(default=_ABSENT, name="ttlMs")
    scope: msgspec.Raw = msgspec.field(default=_ABSENT, name="cacheScope")
    meta: msgspec.Raw = msgspec.field(default=_ABSENT, name="_meta")


_ADDED = msgspec.json.Decoder(_Added)


def modern_error(error: Raw) -> bytes:
    """The error with the code that it has today. Raises ParseError or InvalidRequest."""
    if error_code(error) != RESOURCE_NOT_FOUND:
        return bytes(error)
    return RawObject(error).with_member("code", b"%d" % InvalidParams.code)


def error_code(error: Raw) -> int | None:
    """Its code; None where that is no number. Raises ParseError or InvalidRequest."""
    try:
        return msgspec.json.decode(read_members(error).get("code", b"null"), type=int | None)
    except msgspec.DecodeError:
        return None


def pages_to_open(error: Raw) -> list[dict[str, Raw]]:
    """The parameters of the questions that an error wants answered first, each with a page to open.

    Empty where it names none that could be asked.
    """
    try:
        data = read_members(read_members(error).get("data", b"{}"))
        named = read_items(data.get("elicitations", b"[]"), MOST_PAGES)
        return [dict(read_members(one)) for one in named]
    except McpError:
        return []


MOST_PAGES = 10
"""How many pages a person is asked to open for one call."""
