"""Virtual servers: a choice of what the servers have, at an endpoint of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from tests.gateway.test_federation import answering
from tests.gateway.test_overrides import UNKNOWN, call, having

from ostiary.gateway import GatewaySettings

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
DOOR = "/virtual/research/mcp"


async def listed(caller: Caller, kind: str = "tools", door: str = DOOR) -> list[str]:
    method = "resources/templates/list" if kind == "resourceTemplates" else f"{kind}/list"
    merged = (await caller.ask(method, path=door)).json()["result"]
    return [one.get("name") or one.get("uri") or one["uriTemplate"] for one in merged[kind]]


@pytest.fixture
async def servers(start_server: StartServer) -> dict[str, McpServer]:
    zoo, weather = await start_server(), await start_server()
    zoo.reply = having(
        tools=[{"name": "get_animal"}], prompts=[{"name": "ask"}], resources=[{"uri": "note://1"}]
    )
    weather.reply = having(
        tools=[{"name": "get_rain"}, {"name": "get_sun"}, {"name": "set_rain"}],
        prompts=[{"name": "forecast"}],
        resources=[{"uri": "map://1"}, {"uri": "secret://1"}],
    )
    return {"zoo": zoo, "weather": weather}


def settings(servers: dict[str, McpServer], **research: Any) -> dict[str, Any]:
    return {
        "servers": {
            "zoo": {"url": servers["zoo"].url},
            "weather": {"url": servers["weather"].url, "prefix": "wx_"},
        },
        "virtual_servers": {"research": research},
    }


async def test_what_is_included_is_listed_and_called_and_nothing_else_is_known(
    start_gateway: StartGateway, servers: dict[str, McpServer]
) -> None:
    chosen = ["zoo", "weather.get_*", "weather.map://*"]
    caller = await start_gateway(**settings(servers, include=chosen))
    assert await listed(caller) == ["zoo_get_animal", "wx_get_rain", "wx_get_sun"]
    assert await listed(caller, "prompts") == ["zoo_ask"]
    assert await listed(caller, "resources") == ["zoo+note://1", "weather+map://1"]
    names = ("zoo_get_animal", "wx_get_rain", "wx_set_rain", "other_get")
    assert [await call(caller, name, path=DOOR) for name in names] == [
        "get_animal",
        "get_rain",
        UNKNOWN,
        UNKNOWN,
    ]
    assert await call(caller, "wx_forecast", "prompts/get", path=DOOR) == UNKNOWN
    uris = ("weather+map://1", "weather+secret://1", "zoo+note://9")
    assert [await call(caller, uri, "resources/read", path=DOOR) for uri in uris] == [
        "map://1",
        UNKNOWN,
        "note://9",
    ]
    reference = {"type": "ref/prompt", "name": "wx_forecast"}
    completed = await caller.ask(
        "completion/complete", {"ref": reference, "argument": {"name": "a", "value": ""}}, path=DOOR
    )
    assert completed.json()["error"]["code"] == UNKNOWN
    assert "wx_set_rain" in await listed(caller, door="/mcp")
    assert await call(caller, "wx_set_rain") == "set_rain"


async def test_a_server_that_is_not_included_is_never_asked(
    start_gateway: StartGateway, servers: dict[str, McpServer]
) -> None:
    caller = await start_gateway(**settings(servers, include=["zoo"]))
    assert await listed(caller) == ["zoo_get_animal"]
    assert await call(caller, "wx_get_rain", path=DOOR) == UNKNOWN
    assert servers["weather"].seen == []


async def test_a_virtual_server_has_its_own_instructions_and_words_for_tools(
    start_gateway: StartGateway, servers: dict[str, McpServer]
) -> None:
    said = {"zoo": {"tools": {"get_animal": {"name": "animal", "description": "One animal."}}}}
    caller = await start_gateway(
        **settings(servers, include=["zoo"], instructions="Ask about animals.", overrides=said)
    )
    servers["zoo"].reply = answering({"server/discover": {"capabilities": {}, "instructions": "Own words."}})
    found = await caller.ask("server/discover", path=DOOR)
    assert found.json()["result"]["instructions"] == "Ask about animals."
    assert (await caller.ask("server/discover")).json()["result"]["instructions"] == "zoo: Own words."
    servers["zoo"].reply = having(tools=[{"name": "get_animal"}])
    tools = (await caller.ask("tools/list", path=DOOR)).json()["result"]["tools"]
    assert tools == [{"name": "zoo_animal", "description": "One animal."}]
    assert await call(caller, "zoo_animal", path=DOOR) == "get_animal"
    assert await call(caller, "zoo_get_animal", path=DOOR) == UNKNOWN
    assert await call(caller, "zoo_get_animal") == "get_animal"


async def test_what_is_hidden_everywhere_is_hidden_here_too(
    start_gateway: StartGateway, servers: dict[str, McpServer]
) -> None:
    made = settings(servers, include=["zoo", "weather"], overrides={"weather": {"tools": {}}})
    made["servers"]["weather"]["tools"] = {"set_rain": {"hidden": True}}
    caller = await start_gateway(**made)
    assert await listed(caller) == ["zoo_get_animal", "wx_get_rain", "wx_get_sun"]
    assert await call(caller, "wx_set_rain", path=DOOR) == UNKNOWN


async def test_a_virtual_server_is_a_resource_of_its_own(
    start_gateway: StartGateway, servers: dict[str, McpServer]
) -> None:
    caller = await start_gateway(
        inbound=[{"issuer": "http://127.0.0.1:1"}], **settings(servers, include=["zoo"])
    )
    refused = await caller.ask("tools/list", path=DOOR)
    metadata_url = f"{caller.origin}/.well-known/oauth-protected-resource{DOOR}"
    assert refused.status_code == 401
    assert metadata_url in refused.headers["www-authenticate"]
    assert (await caller.http.get(metadata_url)).json()["resource"] == f"{caller.origin}{DOOR}"


@pytest.mark.parametrize(
    ("virtual", "message"),
    [
        ({"include": []}, "at least 1 item"),
        ({}, "Field required"),
        ({"include": ["zo"]}, "there is no server zo: servers are zoo"),
        ({"include": ["zoo."]}, "zoo. names nothing: say zoo, or zoo.get_*"),
        ({"include": ["zoo"], "overrides": {"x": {}}}, "server x is not among what is included"),
        ({"include": ["zoo"], "tool": "search"}, "Extra inputs are not permitted"),
    ],
)
def test_a_virtual_server_that_cannot_be_is_a_fault_of_the_file(virtual: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GatewaySettings.model_validate(
            {
                "allow_unauthenticated": True,
                "servers": {"zoo": {"url": "http://127.0.0.1:1/mcp"}},
                "virtual_servers": {"research": virtual},
            }
        )
    assert message in str(refused.value)
