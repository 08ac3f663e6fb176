"""What `initialize` settles, in the words of either era."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.mcp.errors import InvalidRequest, McpError
from ostiary.mcp.handshake import discovery, introduction, read_agreement
from ostiary.mcp.messages import Meta

OTHERWISE = b'{"name":"ostiary","version":"1"}'


def meta(capabilities: Any, **others: Any) -> Meta:
    return Meta(json.dumps({"io.modelcontextprotocol/clientCapabilities": capabilities, **others}).encode())


def test_a_server_is_told_what_it_may_ask_for_and_no_more() -> None:
    declared = {"roots": {"listChanged": True}, "extensions": {"io.modelcontextprotocol/tasks": {}}, "x": 1}
    said = introduction(meta(declared), OTHERWISE)
    assert json.loads(said.initialize(7)) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {"roots": {"listChanged": True}},
            "clientInfo": {"name": "ostiary", "version": "1"},
        },
    }
    assert said.answers_questions
    assert not introduction(meta({}), OTHERWISE).answers_questions


def test_the_same_client_says_the_same_whatever_else_it_sends() -> None:
    info = {"io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"}}
    first, second = (introduction(meta({"roots": {}}, **info, progressToken=n), OTHERWISE) for n in (1, 2))
    assert (first, hash(first)) == (second, hash(second))


def test_what_a_client_says_of_itself_has_an_end() -> None:
    with pytest.raises(InvalidRequest):
        introduction(meta({"roots": {"x": "x" * 70_000}}), OTHERWISE)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_discovery_says_what_was_agreed_on(version: str) -> None:
    result = {
        "protocolVersion": version,
        "capabilities": {"tools": {"listChanged": True}, "tasks": {"list": {}}, "logging": {}},
        "serverInfo": {"name": "old", "version": "1"},
        "instructions": "Be kind.",
    }
    agreement = read_agreement(json.dumps(result).encode())
    assert json.loads(discovery(agreement)) == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {"listChanged": True}, "logging": {}},
        "ttlMs": 0,
        "cacheScope": "private",
        "instructions": "Be kind.",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "old", "version": "1"}},
    }
    assert (agreement.offers("tools", "listChanged"), agreement.offers("logging")) == (True, True)
    assert (agreement.offers("tools", "other"), agreement.offers("prompts")) == (False, False)


@pytest.mark.parametrize(
    "result", [b"[]", b"{}", b'{"protocolVersion":"2026-07-28"}', b'{"protocolVersion":1}']
)
def test_no_agreement(result: bytes) -> None:
    with pytest.raises(McpError):
        read_agreement(result)
