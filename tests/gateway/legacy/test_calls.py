"""Calls of modern callers to servers of MCP 2025-11-25 and before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.gateway.conftest import StartGateway
from tests.gateway.legacy.conftest import Modern, OldServer, message_of, messages_of, text_of

INFO = {"io.modelcontextprotocol/serverInfo": {"name": "old", "version": ""}}


@pytest.fixture(params=["stateful", "json", "stateless", "stateless json"])
async def kinds(
    request: Any, start_old: Callable[..., Awaitable[OldServer]], start_gateway: StartGateway
) -> tuple[Modern, OldServer]:
    server = await start_old(stateless="stateless" in request.param, json_response="json" in request.param)
    return Modern(await start_gateway(servers={"s": {"url": server.url}})), server


async def test_a_tool_is_called_in_a_session_that_is_begun_once(kinds: tuple[Modern, OldServer]) -> None:
    modern, server = kinds
    for number in range(3):
        answered = await modern.ask("tools/call", {"name": "add", "arguments": {"a": number, "b": 1}}, "x")
        assert (answered.status_code, answered.json()["id"]) == (200, "x")
        result = answered.json()["result"]
        assert result["resultType"] == "complete"
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "old"
        assert text_of(result) == str(number + 1)
    asked = ["server/discover", "initialize", "notifications/initialized", *["tools/call"] * 3]
    assert server.methods == asked
    assert server.seen[1]["params"]["protocolVersion"] == "2025-11-25"
    assert {named.get("mcp-session-id") for _, named in server.requests[2:]} == (
        {None} if server.stateless else {server.requests[2][1]["mcp-session-id"]}
    )


async def test_a_server_is_sent_nothing_that_it_would_not_know(modern: Modern, old: OldServer) -> None:
    await modern.ask(
        "tools/call",
        {"name": "add", "arguments": {"a": 1, "b": 1}},
        **{"traceparent": "00-1-2-01", "io.modelcontextprotocol/logLevel": "error"},
    )
    assert old.seen[-1]["params"] == {
        "name": "add",
        "arguments": {"a": 1, "b": 1},
        "_meta": {"traceparent": "00-1-2-01"},
    }
    _, headers = old.requests[-1]
    assert headers["mcp-protocol-version"] == "2025-11-25"
    assert not headers.keys() & {"mcp-method", "mcp-name"}


async def test_discovery_says_what_the_handshake_said(modern: Modern, old: OldServer) -> None:
    result = message_of(await modern.ask("server/discover"))["result"]
    assert result.keys() == {
        "resultType", "supportedVersions", "capabilities", "ttlMs", "cacheScope", "instructions", "_meta",
    }  # fmt: skip
    assert (result["supportedVersions"], result["instructions"]) == (["2026-07-28"], "Be kind.")
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")
    assert {"tools", "prompts", "resources", "completions", "logging"} <= result["capabilities"].keys()
    assert old.methods == ["server/discover", "initialize", "notifications/initialized"]


@pytest.mark.parametrize(
    ("method", "params", "member"),
    [
        ("tools/list", {}, "tools"),
        ("prompts/list", {}, "prompts"),
        ("resources/list", {}, "resources"),
        ("resources/templates/list", {}, "resourceTemplates"),
        ("resources/read", {"uri": "notes://one"}, "contents"),
    ],
)
async def test_what_may_be_kept_is_kept_by_nobody(
    modern: Modern, method: str, params: Any, member: str
) -> None:
    result = message_of(await modern.ask(method, params))["result"]
    assert (result["ttlMs"], result["cacheScope"], result["resultType"]) == (0, "private", "complete")
    assert isinstance(result[member], list)


async def test_prompts_and_completions(modern: Modern) -> None:
    prompt = message_of(await modern.ask("prompts/get", {"name": "greet", "arguments": {"name": "Ada"}}))
    assert prompt["result"]["messages"][0]["content"]["text"] == "Hello Ada"
    reference = {"type": "ref/prompt", "name": "greet"}
    completed = message_of(
        await modern.ask(
            "completion/complete", {"ref": reference, "argument": {"name": "name", "value": "A"}}
        )
    )
    assert completed["result"]["completion"]["values"] == ["Ada"]


async def test_a_tool_that_fails_says_so_in_its_result(modern: Modern) -> None:
    result = await modern.call("fail")
    assert (result["isError"], "it did not work" in text_of(result)) == (True, True)


async def test_an_error_has_the_code_and_the_status_of_today(modern: Modern) -> None:
    unknown = await modern.ask("resources/read", {"uri": "notes://none"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, -32602)
    nobodys = await modern.ask("notes/count")
    assert (nobodys.status_code, nobodys.json()["error"]["code"]) == (404, -32601)


async def test_progress_comes_under_the_token_of_its_caller(modern: Modern, old: OldServer) -> None:
    answered = await modern.ask("tools/call", {"name": "progress", "arguments": {}}, progressToken="mine")
    *progress, answer = messages_of(answered)
    assert [one["params"] for one in progress] == [
        {"progressToken": "mine", "progress": 1, "total": 2, "message": "half"},
        {"progressToken": "mine", "progress": 2, "total": 2, "message": "done"},
    ]
    assert text_of(answer["result"]) == "reported"
    assert old.seen[-1]["params"]["_meta"]["progressToken"] != "mine"


async def test_each_call_hears_the_log_that_it_wants_to(modern: Modern, old: OldServer) -> None:
    async def said(**meta: Any) -> list[str]:
        answered = await modern.ask("tools/call", {"name": "say", "arguments": {}}, **meta)
        return [one["params"]["data"] for one in messages_of(answered)[:-1]]

    key = "io.modelcontextprotocol/logLevel"
    assert await said() == []
    assert await said(**{key: "error"}) == ["loudly"]
    assert await said(**{key: "debug"}) == ["quietly", "loudly"]
    assert await said(**{key: "warning"}) == ["loudly"]
    assert old.levels == ["error", "debug"]


async def test_a_large_result_comes_whole(modern: Modern) -> None:
    result = await modern.call("large", size=2_000_000)
    assert text_of(result) == "x" * 2_000_000


async def test_who_leaves_cancels_the_call(modern: Modern, old: OldServer) -> None:
    call = asyncio.create_task(modern.call("wait"))
    await old.begun.wait()
    call.cancel()
    async with asyncio.timeout(5):
        await old.cancelled.wait()
    assert "notifications/cancelled" in old.methods


async def test_a_federation_has_old_and_new_servers(
    old: OldServer, zoo_url: str, start_gateway: StartGateway
) -> None:
    caller = await start_gateway(servers={"old": {"url": old.url}, "zoo": {"url": zoo_url}})
    modern = Modern(caller, path="/mcp")
    tools = [tool["name"] for tool in message_of(await modern.ask("tools/list"))["result"]["tools"]]
    assert "old_add" in tools
    assert any(name.startswith("zoo_") for name in tools)
    assert text_of(await modern.call("old_add", a=1, b=2)) == "3"
