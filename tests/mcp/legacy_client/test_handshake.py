"""What a legacy client says of itself, and what it is told: MCP 2025-11-25, lifecycle."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.legacy_client.handshake import Introduction, initialize_result, read_introduction
from ostiary.mcp.raw_object import read_members

INFO = {"name": "c", "version": "1"}
OWN = {"name": "ostiary", "version": "0"}


def read(**params: Any) -> Introduction:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": INFO, **params}
    return read_introduction(read_members(json.dumps(params).encode()))


@pytest.mark.parametrize(
    ("declared", "modern"),
    [
        ({}, {}),
        ({"elicitation": {}}, {"elicitation": {"form": {}}}),
        ({"elicitation": {"url": {}}}, {"elicitation": {"url": {}}}),
        (
            {"roots": {"listChanged": True}, "sampling": {"tools": {}}},
            {"roots": {}, "sampling": {"tools": {}}},
        ),
        ({"tasks": {"list": {}}, "mine": {}}, {}),
        ({"experimental": {"x": {"long": "x" * 3000}}, "roots": {}}, {"roots": {}}),
    ],
)
def test_capabilities_are_said_in_modern_words(declared: Any, modern: Any) -> None:
    assert json.loads(read(capabilities=declared).capabilities) == modern


@pytest.mark.parametrize(
    "params",
    [
        {"protocolVersion": None},
        {"capabilities": [1]},
        {"capabilities": {"roots": 7}},
        {"capabilities": {"sampling": {"x": "x" * 3000}}},
        {"clientInfo": []},
        {"clientInfo": {"name": "x" * 3000}},
    ],
)
def test_what_makes_no_sense_is_refused(params: Any) -> None:
    with pytest.raises(InvalidParams):
        read(**params)


def test_a_client_without_a_name_has_one_nevertheless() -> None:
    params = b'{"protocolVersion":"2025-11-25"}'
    assert json.loads(read_introduction(read_members(params)).client_info)["name"] == "unknown"


def test_a_discovery_is_told_as_a_handshake() -> None:
    discovery = {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {"listChanged": True}, "extensions": {"x": {}}},
        "instructions": "Be kind.",
        "ttlMs": 5,
        "cacheScope": "public",
        "_meta": {
            "io.modelcontextprotocol/serverInfo": {"name": "s", "version": "2"},
            "dev.ostiary/unavailable": [],
        },
    }
    told = initialize_result("2025-06-18", json.dumps(discovery).encode(), OWN)
    assert json.loads(told) == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "s", "version": "2"},
        "instructions": "Be kind.",
        "_meta": {"dev.ostiary/unavailable": []},
    }


@pytest.mark.parametrize("info", [None, {"name": "s"}, {"name": 7, "version": "1"}])
def test_a_server_that_does_not_say_its_name_is_ours(info: Any) -> None:
    discovery = {"capabilities": {}, "_meta": {"io.modelcontextprotocol/serverInfo": info or {}}}
    told = json.loads(initialize_result("2025-06-18", msgspec.json.encode(discovery), OWN))
    assert told["serverInfo"] == OWN
