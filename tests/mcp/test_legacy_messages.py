"""Messages of either era in the words of the other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.legacy_answers import error_code, modern_error, modern_result, pages_to_open
from ostiary.mcp.legacy_notices import cancelled_request, log_level, read_progress
from ostiary.mcp.legacy_requests import cancelled, legacy_request
from ostiary.mcp.messages import Message
from ostiary.mcp.questions import (
    input_required,
    is_accepted,
    may_be_asked,
    question,
    response_to,
    responses,
)

INFO = b'{"name":"old"}'


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_request_loses_what_only_modern_servers_know() -> None:
    params = {
        "name": "x",
        "inputResponses": {},
        "requestState": "s",
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {},
            "io.modelcontextprotocol/logLevel": "info",
            "progressToken": "mine",
            "traceparent": "00",
        },
    }
    sent = json.loads(legacy_request(Message(b"tools/call", b"1", written(params)), 5))
    assert sent == {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "tools/call",
        "params": {"name": "x", "_meta": {"progressToken": 5, "traceparent": "00"}},
    }
    assert json.loads(cancelled(5))["params"]["requestId"] == 5


@pytest.mark.parametrize(
    ("method", "kept"), [(b"tools/call", {}), (b"tools/list", {"ttlMs": 0, "cacheScope": "private"})]
)
def test_a_result_is_complete_and_nobody_elses(method: bytes, kept: dict[str, Any]) -> None:
    result = {"resultType": "task", "ttlMs": 9, "cacheScope": "public", "_meta": {"a": 1}, "tools": []}
    told = json.loads(modern_result(method, written(result), INFO))
    info = {"io.modelcontextprotocol/serverInfo": {"name": "old"}}
    expected = {**result, "resultType": "complete", **kept, "_meta": {"a": 1, **info}}
    assert told == expected


@pytest.mark.parametrize(
    "result", [b"{}", b" { } ", b'{"a":[1, 2]}', b'\n{ "a" : {"_meta": 1} }', b"{" + b" " * 99 + b"}"]
)
def test_what_is_added_leaves_the_rest_as_it_was_written(result: bytes) -> None:
    told = modern_result(b"tools/call", result, INFO)
    info = {"io.modelcontextprotocol/serverInfo": {"name": "old"}}
    assert json.loads(told) == {"resultType": "complete", "_meta": info, **json.loads(result)}


@pytest.mark.parametrize("result", [b"[]", b"7", b"{", b'{"ttlMs":1,"ttlMs":2}', b'{"_meta":7}'])
def test_a_result_that_is_none(result: bytes) -> None:
    with pytest.raises(McpError):
        modern_result(b"tools/call", result, INFO)


def test_a_resource_that_is_not_there_has_the_code_of_today() -> None:
    error = {"code": -32002, "message": "no", "data": {"uri": "a://b"}}
    assert json.loads(modern_error(written(error))) == {**error, "code": -32602}
    assert json.loads(modern_error(written({"code": -1, "message": "m"}))) == {"code": -1, "message": "m"}
    assert [error_code(written({"code": code})) for code in (7, "7", None)] == [7, None, None]


def test_pages_to_open() -> None:
    pages = [{"mode": "url", "url": f"https://x/{number}", "message": "m"} for number in range(20)]
    found = pages_to_open(written({"code": -32042, "data": {"elicitations": pages}}))
    assert [json.loads(bytes(page["url"])) for page in found] == [page["url"] for page in pages[:10]]
    nothing: tuple[Any, ...] = ({}, {"elicitations": 7}, {"elicitations": [7]}, [])
    for data in nothing:
        assert pages_to_open(written({"code": -32042, "data": data})) == []


@pytest.mark.parametrize(
    ("capabilities", "method", "params", "may"),
    [
        ({"elicitation": {}}, "elicitation/create", {}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, False),
        ({"elicitation": {"form": {}}}, "elicitation/create", {"mode": "form"}, True),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "form"}, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, True),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "other"}, False),
        ({"elicitation": 7}, "elicitation/create", {}, False),
        ({"roots": {}}, "roots/list", {}, True),
        ({"roots": {}}, "sampling/createMessage", {}, False),
        ({"roots": {}}, "tools/list", {}, False),
    ],
)
def test_who_may_be_asked(capabilities: Any, method: str, params: Any, may: bool) -> None:
    assert may_be_asked(written(capabilities), method, written(params)) is may


def test_a_question_and_what_is_said_to_it() -> None:
    asked = question(
        "elicitation/create", written({"message": "m", "elicitationId": "e", "_meta": {}, "task": {}})
    )
    assert json.loads(asked) == {"method": "elicitation/create", "params": {"message": "m"}}
    assert json.loads(input_required({"q": asked}, "s", INFO)) == {
        "resultType": "input_required",
        "inputRequests": {"q": json.loads(asked)},
        "requestState": "s",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "old"}},
    }
    again = Message(
        b"tools/call", b"1", written({"name": "x", "inputResponses": {"q": {"action": "accept"}}})
    )
    said = responses(again)["q"]
    assert is_accepted(said)
    assert not is_accepted(b"7")
    assert json.loads(response_to(b'"id"', said)) == {
        "jsonrpc": "2.0",
        "id": "id",
        "result": {"action": "accept"},
    }


@pytest.mark.parametrize("said", [b"7", b"[]", b"null"])
def test_what_is_said_is_an_object(said: bytes) -> None:
    with pytest.raises(InvalidParams):
        response_to(b"1", said)


def test_notices() -> None:
    progress = read_progress(b'{"progressToken":5,"progress":1}')
    assert progress is not None
    assert json.loads(progress.told(b'"mine"'))["params"] == {"progressToken": "mine", "progress": 1}
    assert read_progress(b"[]") is read_progress(b"{}") is None
    assert [log_level(raw) for raw in (b'{"level":"error"}', b'{"level":7}', b"[]")] == [4, None, None]
    assert (cancelled_request(b'{"requestId":"a"}'), cancelled_request(b"7")) == (b'"a"', None)
