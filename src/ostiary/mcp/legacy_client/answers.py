"""Results and errors of 2026-07-28, as the revisions before have them.

What a legacy client's parser would not take is left out rather than sent: one tool with a schema that is not
of an object would cost it the whole list.
"""

from __future__ import annotations

import msgspec

from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.raw_object import Members, Raw, read_members, write_object
from ostiary.mcp.request_state import INPUT_REQUIRED, RESULT_TYPE_KEY

RESOURCE_NOT_FOUND = -32002
"""The code of 2025-11-25 for what is -32602 today."""
EMPTY_RESULT = b"{}"
MOST_TOOLS = 5000
"""Of one answer; each is looked at."""
MOST_MEMBERS = 100_000
"""Of all objects and lists in them."""
_NOT_OF_LEGACY = (RESULT_TYPE_KEY, "ttlMs", "cacheScope")
_PROTOCOL = "io.modelcontextprotocol/"
_ABSENT = msgspec.Raw(b"")


def asks(result: Members) -> bool:
    """Whether it is no answer yet, but questions."""
    return bytes(result.get(RESULT_TYPE_KEY, b"")) == INPUT_REQUIRED


def legacy_result(method: bytes, result: Members) -> bytes:
    """The result of this method. Raises ParseError or InvalidRequest."""
    kept: dict[str, Raw] = {name: raw for name, raw in result.items() if name not in _NOT_OF_LEGACY}
    if "_meta" in kept:
        meta = {
            name: raw
            for name, raw in read_members(kept.pop("_meta")).items()
            if not name.startswith(_PROTOCOL)
        }
        if meta:
            kept["_meta"] = write_object(meta)
    if method == b"tools/list" and "tools" in kept:
        kept["tools"] = _legacy_tools(kept["tools"])
    elif method == b"tools/call" and not bytes(kept.get("structuredContent", b"{")).startswith(b"{"):
        del kept["structuredContent"]  # the text says it, too
    return write_object(kept)


def legacy_code(method: bytes, code: int) -> int:
    """The code that an error of this method had."""
    return RESOURCE_NOT_FOUND if method == b"resources/read" and code == InvalidParams.code else code


def legacy_error(method: bytes, error: Raw) -> bytes:
    """The error of this method. Raises ParseError or InvalidRequest."""
    code = error_code(error)
    if code is None:
        return bytes(error)
    return write_object({**read_members(error), "code": b"%d" % legacy_code(method, code)})


def error_code(error: Raw) -> int | None:
    """Its code; None where that is no number. Raises ParseError or InvalidRequest."""
    try:
        return msgspec.json.decode(read_members(error).get("code", b"null"), type=int | None)
    except msgspec.DecodeError:
        return None


class _Schema(msgspec.Struct):
    type: msgspec.Raw = _ABSENT


class _Tool(msgspec.Struct):
    input: msgspec.Raw = msgspec.field(default=_ABSENT, name="inputSchema")
    output: msgspec.Raw = msgspec.field(default=_ABSENT, name="outputSchema")


def _legacy_tools(tools: Raw) -> bytes:
    if bytes(tools).count(b",") > MOST_MEMBERS:
        raise _too_long()
    try:
        listed = msgspec.json.decode(tools, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return bytes(tools)
    if len(listed) > MOST_TOOLS:
        raise _too_long()
    written = (_legacy_tool(tool) for tool in listed)
    return b"[%s]" % b",".join(tool for tool in written if tool is not None)


def _too_long() -> InvalidRequest:
    return InvalidRequest(
        f"its list has more than {MOST_TOOLS} tools, or {MOST_MEMBERS} members in all of them"
    )


def _legacy_tool(raw: msgspec.Raw) -> bytes | None:
    """The tool with schemas of objects; None where its arguments are something else."""
    try:
        tool = msgspec.json.decode(raw, type=_Tool)
        takes = _type_of(tool.input)
        gives = b'"object"' if not tool.output else _type_of(tool.output)
    except msgspec.DecodeError:
        return bytes(raw)
    if takes == gives == b'"object"':
        return bytes(raw)
    if takes not in {b'"object"', b""}:
        return None
    members: dict[str, Raw] = dict(read_members(raw))
    if not takes:
        members["inputSchema"] = write_object(
            {"type": b'"object"', **(read_members(tool.input) if tool.input else {})}
        )
    if gives != b'"object"':
        del members["outputSchema"]
    return write_object(members)


def _type_of(schema: msgspec.Raw) -> bytes:
    return bytes(msgspec.json.decode(schema, type=_Schema).type) if schema else b""
