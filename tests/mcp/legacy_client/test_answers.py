"""Results and errors of today, as the revisions before have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.legacy_client.answers import legacy_error, legacy_result
from ostiary.mcp.raw_object import read_members


def told(method: str, result: Any) -> Any:
    return json.loads(legacy_result(method.encode(), read_members(json.dumps(result).encode())))


def test_what_only_this_revision_has_is_left_out() -> None:
    meta = {"io.modelcontextprotocol/serverInfo": {"name": "s"}, "mine": 1}
    result = {"resultType": "complete", "ttlMs": 1, "cacheScope": "public", "prompts": [], "_meta": meta}
    assert told("prompts/list", result) == {"prompts": [], "_meta": {"mine": 1}}
    assert told("prompts/list", {"_meta": {"io.modelcontextprotocol/serverInfo": {}}}) == {}


@pytest.mark.parametrize(("value", "kept"), [({"a": 1}, True), ([1], False), ("x", False), (None, False)])
def test_structured_content_is_an_object_or_is_not_there(value: Any, kept: bool) -> None:
    assert ("structuredContent" in told("tools/call", {"content": [], "structuredContent": value})) is kept


@pytest.mark.parametrize(
    ("tool", "listed"),
    [
        ({"inputSchema": {"type": "object"}}, {"inputSchema": {"type": "object"}}),
        ({}, {"inputSchema": {"type": "object"}}),
        ({"inputSchema": {"$ref": "#/x"}}, {"inputSchema": {"type": "object", "$ref": "#/x"}}),
        ({"inputSchema": {"type": ["object", "null"]}}, None),
        ({"inputSchema": {"type": "string"}}, None),
        (
            {"inputSchema": {"type": "object"}, "outputSchema": {"oneOf": []}},
            {"inputSchema": {"type": "object"}},
        ),
    ],
)
def test_tools_have_schemas_of_objects(tool: Any, listed: Any) -> None:
    other = {"name": "o", "inputSchema": {"type": "object"}}
    tools = told("tools/list", {"tools": [other, {"name": "t", **tool}]})["tools"]
    assert tools == [other, *([{"name": "t", **listed}] if listed is not None else [])]


@pytest.mark.parametrize("tools", [7, "x", [1, "x", None], [{"inputSchema": 7}]])
def test_what_is_no_list_of_tools_stays_what_it_is(tools: Any) -> None:
    assert told("tools/list", {"tools": tools}) == {"tools": tools}


@pytest.mark.parametrize(
    ("method", "code", "before"),
    [
        ("resources/read", -32602, -32002),
        ("tools/call", -32602, -32602),
        ("resources/read", -32603, -32603),
        ("resources/read", None, None),
    ],
)
def test_errors_have_the_codes_that_they_had(method: str, code: Any, before: Any) -> None:
    error = {"code": code, "message": "m", "data": {"uri": "x"}}
    assert json.loads(legacy_error(method.encode(), json.dumps(error).encode())) == {**error, "code": before}


@pytest.mark.parametrize(
    "tools", [b"[%s]" % b",".join([b"{}"] * 6000), b"[[%s]]" % b",".join([b"1"] * 200_000)]
)
def test_a_list_of_too_many_tools_is_refused_before_they_are_looked_at(tools: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^its list has more than 5000 tools, or 100000 members"):
        legacy_result(b"tools/list", read_members(b'{"tools":%s}' % tools))
