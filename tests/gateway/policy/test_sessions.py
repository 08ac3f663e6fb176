"""Policies before clients of earlier revisions, and before those who listen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.sessions.conftest import RawClient
from tests.gateway.sessions.conftest import era as era  # noqa: PLC0414 - fixtures
from tests.gateway.sessions.conftest import workshop as workshop  # noqa: PLC0414
from tests.gateway.test_listening import KEY, Telling, acknowledged, listening, until

from ostiary.gateway.catalog import change_feed

if TYPE_CHECKING:
    from tests.gateway.conftest import McpServer
    from tests.gateway.policy.conftest import StartGuarded
    from tests.gateway.sessions.conftest import Workshop

SOME = """
permit(principal, action in [Action::"call_tool"], resource)
when { ["add", "change"].contains(resource.name) };
permit(principal, action, resource == Tool::"w/work") when { principal.scopes.contains("work") };
permit(principal, action, resource == Resource::"w/note://one");
"""


async def begun(start_guarded: StartGuarded, workshop: Workshop, path: str) -> RawClient:
    guarded = await start_guarded(SOME, servers={"w": {"url": workshop.url}}, http_sse=True)
    client = RawClient(guarded.caller("ada"), path=path)
    await client.initialize()
    return client


@pytest.mark.parametrize(("path", "prefix"), [("/mcp", "w_"), ("/servers/w/mcp", "")])
async def test_a_legacy_client_may_do_and_see_as_much(
    start_guarded: StartGuarded, workshop: Workshop, path: str, prefix: str
) -> None:
    client = await begun(start_guarded, workshop, path)
    listed = (await client.post("tools/list")).json()["result"]["tools"]
    assert [tool["name"] for tool in listed] == [f"{prefix}add", f"{prefix}work", f"{prefix}change"]
    added = await client.post("tools/call", {"name": f"{prefix}add", "arguments": {"one": 1, "two": 2}})
    assert added.json()["result"]["content"][0]["text"] == "3"
    refused = await client.post("tools/call", {"name": f"{prefix}greet"})
    assert (refused.status_code, refused.json()["error"]) == (
        200,
        {"code": -32003, "message": "you may not call this tool: no policy lets you"},
    )


async def test_a_legacy_client_that_lacks_scopes_is_challenged(
    start_guarded: StartGuarded, workshop: Workshop
) -> None:
    client = await begun(start_guarded, workshop, "/mcp")
    refused = await client.post("tools/call", {"name": "w_work"})
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert 'scope="work"' in refused.headers["www-authenticate"]
    assert refused.json()["error"]["data"] == {"scopes": ["work"]}


@pytest.mark.parametrize(("path", "scheme"), [("/mcp", "w+"), ("/servers/w/mcp", "")])
async def test_a_legacy_client_hears_of_no_resource_that_it_may_not_read(
    start_guarded: StartGuarded, workshop: Workshop, path: str, scheme: str
) -> None:
    client = await begun(start_guarded, workshop, path)
    refused = await client.post("resources/subscribe", {"uri": f"{scheme}note://two"})
    assert refused.json()["error"]["code"] == -32003
    assert (await client.post("resources/subscribe", {"uri": f"{scheme}note://one"})).json()["result"] == {}


async def test_a_batch_is_decided_message_by_message(start_guarded: StartGuarded, workshop: Workshop) -> None:
    guarded = await start_guarded(SOME, servers={"w": {"url": workshop.url}})
    client = RawClient(guarded.caller("ada"))
    await client.initialize("2025-03-26")

    def call(number: int, tool: str) -> dict[str, Any]:
        params = {"name": tool, "arguments": {"one": 1, "two": 2}}
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}

    answered = await client.send([call(1, "w_add"), call(2, "w_greet")])
    told = [json.loads(line[6:]) for line in answered.text.splitlines() if line.startswith("data: ")]
    assert ["result" in one for one in told] == [True, False]
    assert told[1]["error"]["code"] == -32003


async def test_a_session_is_no_way_to_be_somebody_else(
    start_guarded: StartGuarded, workshop: Workshop
) -> None:
    guarded = await start_guarded(
        'permit(principal, action, resource) when { principal.subject == "ada" };',
        servers={"w": {"url": workshop.url}},
    )
    client = RawClient(guarded.caller("ada"))
    await client.initialize()
    assert (await client.post("tools/call", {"name": "w_add", "arguments": {"one": 1, "two": 2}})).json()[
        "result"
    ]
    client.caller = guarded.caller("eve")
    assert (await client.post("tools/call", {"name": "w_add"})).status_code == 404


async def test_whoever_listens_hears_only_of_what_they_may_read(
    start_guarded: StartGuarded, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr("ostiary.gateway.policy.live_policies.EVERY_SECONDS", 0.0)
    telling = Telling({"resources/list": {"resources": []}})
    server.reply = telling
    guarded = await start_guarded(
        'permit(principal, action, resource) when { ["n://1", "n://2"].contains(resource.name) };',
        servers={"s": {"url": server.url}},
    )
    caller = guarded.caller("ada")
    caller.http.headers["authorization"] = f"Bearer {caller.token}"
    wanted = ["s+n://1", "s+n://2", "s+n://3"]
    async with listening(caller, resourceSubscriptions=wanted) as heard:
        assert await heard.next() == acknowledged(1, resourceSubscriptions=wanted[:2])
        await until(lambda: bool(telling.streams))
        assert telling.listened[-1]["resourceSubscriptions"] == ["n://1", "n://2"]
        guarded.write('permit(principal, action, resource) when { resource.name == "n://2" };')
        for uri in ("n://1", "n://2"):
            await telling.tell("resources/updated", uri=uri)
        told = await heard.next()
        assert told["params"] == {"uri": "s+n://2", "_meta": {KEY: 1}}
    telling.over.set()
