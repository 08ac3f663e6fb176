"""Tools that want arguments in headers too (`x-mcp-header`), called by clients that know nothing of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import error, result
from tests.gateway.sessions.conftest import RawClient

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import McpServer, Seen, StartGateway

SCHEMA = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}


def wants_region(schema: Any) -> Any:
    """A modern server that refuses a call whose header is not its argument."""

    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        if seen.method == "initialize":
            return error(seen, -32022, "no", status=400)
        if seen.method == "tools/list":
            return result(seen, {"resultType": "complete", "tools": [{"name": "get", "inputSchema": schema}]})
        if seen.method == "tools/call":
            if seen.header("mcp-param-region") != seen.body["params"]["arguments"]["region"]:
                return error(seen, -32020, "Mcp-Param-Region is not the argument", status=400)
            return result(seen, {"resultType": "complete", "content": []})
        return result(seen, {"resultType": "complete", "capabilities": {"tools": {}}})

    return reply


@pytest.mark.parametrize(("path", "name"), [("/mcp", "s_get"), ("/servers/s/mcp", "get")])
async def test_they_are_learnt_from_the_list_and_sent_from_then_on(
    start_gateway: StartGateway, server: McpServer, path: str, name: str
) -> None:
    server.reply = wants_region(SCHEMA)
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}), path=path)
    await raw.initialize()
    for region in ("north", "south"):
        answered = await raw.post("tools/call", {"name": name, "arguments": {"region": region}})
        assert answered.json()["result"] == {"content": []}
    called = [seen.header("mcp-param-region") for seen in server.seen if seen.method == "tools/call"]
    assert called == [None, "north", "south"]


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "x-mcp-header": "Region"}, 7])
async def test_a_server_that_wants_what_it_does_not_say_is_asked_once(
    start_gateway: StartGateway, server: McpServer, schema: Any
) -> None:
    server.reply = wants_region(schema)
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}), path="/servers/s/mcp")
    await raw.initialize()
    answered = await raw.post("tools/call", {"name": "get", "arguments": {"region": "north"}})
    assert (answered.status_code, answered.json()["error"]["code"]) == (200, -32020)
    assert [seen.method for seen in server.seen].count("tools/call") == 1
