"""A person is asked to open a page: MCP 2026-07-28, elicitation in URL mode."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_types._v2026_07_28 import CallToolResultResponse

from ostiary.mcp.elicitation import (
    OPEN_KEY,
    ask_to_open,
    may_be_asked_to_open,
    refused_to_open,
    without_our_answer,
)
from ostiary.mcp.messages import Message, read_message

URL = "https://auth.example.com/connect/github"


def message(method: str = "tools/call", capabilities: Any = None, **params: Any) -> Message:
    """A request of a client with these capabilities."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} if capabilities is None else capabilities,
    }
    named = {"uri": "a://b"} if method == "resources/read" else {"name": "x"}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**named, **params, "_meta": meta}}
    return read_message(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("method", "capabilities", "may_be"),
    [
        ("tools/call", {"elicitation": {"url": {}}}, True),
        ("prompts/get", {"elicitation": {"form": {}, "url": {"later": 1}}}, True),
        ("resources/read", {"elicitation": {"url": {}}}, True),
        ("tools/list", {"elicitation": {"url": {}}}, False),
        ("tools/call", {}, False),
        ("tools/call", {"elicitation": {}}, False),
        ("tools/call", {"elicitation": {"form": {}}}, False),
        ("tools/call", {"elicitation": {"url": None}}, False),
        ("tools/call", {"elicitation": {"url": True}}, False),
        ("tools/call", {"elicitation": "url"}, False),
        ("tools/call", {"url": {}}, False),
    ],
)
def test_who_may_be_asked(method: str, capabilities: object, may_be: bool) -> None:
    assert may_be_asked_to_open(message(method, capabilities)) is may_be


def test_the_question_is_one_that_the_official_types_read() -> None:
    result = json.loads(ask_to_open(URL, "Connect it.", {"name": "ostiary", "version": "1"}))
    read = CallToolResultResponse.model_validate({"jsonrpc": "2.0", "id": 1, "result": result})
    assert read.model_dump(by_alias=True, exclude_none=True, mode="json")["result"] == result
    assert result["inputRequests"] == {
        OPEN_KEY: {
            "method": "elicitation/create",
            "params": {"mode": "url", "message": "Connect it.", "url": URL},
        }
    }


@pytest.mark.parametrize(
    ("responses", "refused"),
    [
        (None, False),
        ({}, False),
        ({OPEN_KEY: {"action": "accept"}}, False),
        ({"other": {"action": "decline"}}, False),
        ({OPEN_KEY: {"action": "decline"}}, True),
        ({OPEN_KEY: {"action": "cancel"}}, True),
    ],
)
def test_who_would_not(responses: object, refused: bool) -> None:
    more: dict[str, Any] = {} if responses is None else {"inputResponses": responses}
    assert refused_to_open(message(**more)) is refused


@pytest.mark.parametrize("responses", [{OPEN_KEY: None}, {OPEN_KEY: {}}, {OPEN_KEY: {"action": 1}}])
def test_an_answer_to_our_question_that_is_none_is_no_consent(responses: object) -> None:
    assert refused_to_open(message(inputResponses=responses))


@pytest.mark.parametrize("responses", [[], "no", None, {"theirs": 1}])
def test_what_we_did_not_ask_is_for_the_server_to_judge(responses: object) -> None:
    asked = message(inputResponses=responses)
    assert without_our_answer(asked) is asked
    assert not refused_to_open(asked)


def test_our_answer_goes_no_further() -> None:
    theirs = {"theirs": {"action": "accept", "content": {"n": 1.0}}}
    ours = {OPEN_KEY: {"action": "accept"}}
    both = without_our_answer(message(arguments={"a": [1]}, inputResponses=theirs | ours))
    alone = without_our_answer(message(arguments={"a": [1]}, inputResponses=ours))
    assert json.loads(bytes(both.params["inputResponses"])) == theirs
    assert "inputResponses" not in alone.params
    assert json.loads(alone.written(b"9", None)) == json.loads(
        message(arguments={"a": [1]}).written(b"9", None)
    )
    untouched = message(inputResponses=theirs)
    assert without_our_answer(untouched) is untouched
