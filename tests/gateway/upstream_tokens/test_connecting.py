"""A caller who has not connected the account yet is led there, by whatever their client can show."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from aiohttp import web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult, TextContent
from tests.authserver.person import Person
from tests.gateway.conftest import Seen
from tests.gateway.conftest import result as reply
from tests.gateway.upstream_tokens.conftest import ENTRY, House, call, showing_pages
from tests.loopback import TRUSTING_NOBODY

from ostiary.credentials.tokens.held_token import CONNECTING_PAUSE

WHY = "Server github wants your account at hub. Connect it on this page, then go on."
OPEN = "dev.ostiary/open"


@pytest.fixture
def entry() -> dict[str, Any]:
    return {**ENTRY, "idps": ["corp", {"name": "hub", "use": "on_demand"}]}


def connect_url(house: House) -> str:
    return f"{house.world.server.issuer}/connect/hub?resource=https%3A%2F%2Fmcp.example.com%2Fmcp"


async def connected(person: Person, url: str) -> None:
    """They open the page, and agree to it."""
    page = await person.open(url)
    done = await person.press(page, decision="connect")
    assert "done=connected" in done.url, done.text


async def test_a_client_that_shows_pages_is_asked_to_show_one(house: House) -> None:
    caller = await house.gateway()
    _, token = await house.person()
    answer = await showing_pages(caller, token)
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "ostiary"
    assert (result["resultType"], result["inputRequests"]) == (
        "input_required",
        {
            OPEN: {
                "method": "elicitation/create",
                "params": {"mode": "url", "message": WHY, "url": connect_url(house)},
            }
        },
    )
    assert house.server.seen == []


async def test_whoever_connected_the_account_there_is_served(house: House) -> None:
    caller = await house.gateway()
    person, token = await house.person()
    asked = (await showing_pages(caller, token)).json()["result"]["inputRequests"][OPEN]
    await connected(person, asked["params"]["url"])
    house.clock.advance(0.3)
    answer = await showing_pages(caller, token, inputResponses={OPEN: {"action": "accept"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["method"] == "tools/call"
    [seen] = house.server.seen
    assert str(seen.header("authorization")).startswith("Bearer access-")
    assert "inputResponses" not in seen.body["params"]


async def test_the_official_client_shows_its_person_the_page_and_goes_on(house: House) -> None:
    caller = await house.gateway()
    person, token = await house.person()
    shown: list[ElicitRequestParams] = []

    async def elicit(context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        shown.append(params)
        await connected(person, params.url)
        house.clock.advance(CONNECTING_PAUSE)
        return ElicitResult(action="accept")

    house.server.reply = complete
    headers = {"authorization": f"Bearer {token}", "host": "mcp.example.com"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, verify=TRUSTING_NOBODY) as http:
        transport = streamable_http_client(f"{caller.origin}/mcp", http_client=http)
        async with Client(transport, mode="2026-07-28", elicitation_callback=elicit) as client:
            result = await client.call_tool("github_issues", {"n": 1})
    assert result.content == [TextContent(type="text", text="done")]
    assert [asked.message for asked in shown] == [WHY]
    called = [seen.body["params"] for seen in house.server.seen if seen.method == "tools/call"]
    assert [params.keys() & {"inputResponses", "requestState"} for params in called] == [set()]


async def complete(seen: Seen, _: web.Request) -> web.StreamResponse:
    """The tool is done."""
    return reply(seen, {"resultType": "complete", "content": [{"type": "text", "text": "done"}]})


async def test_what_the_server_itself_asked_goes_on_without_our_own_question(house: House) -> None:
    caller = await house.gateway()
    person, token = await house.person()
    await connected(person, connect_url(house))
    answers = {"theirs": {"action": "accept", "content": {"a": 1}}, OPEN: {"action": "accept"}}
    answer = await showing_pages(caller, token, inputResponses=answers)
    assert answer.status_code == 200, answer.text
    [seen] = house.server.seen
    assert seen.body["params"]["inputResponses"] == {"theirs": {"action": "accept", "content": {"a": 1}}}


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_would_not_is_not_asked_again(house: House, action: str) -> None:
    caller = await house.gateway()
    _, token = await house.person()
    answer = await showing_pages(caller, token, inputResponses={OPEN: {"action": action}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, -32016)


async def test_a_client_that_shows_none_hears_where_it_is(house: House) -> None:
    caller = await house.gateway()
    _, token = await house.person()
    answer = await call(caller, token)
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "code": -32016,
        "message": (
            "server github: the account at hub is not connected, or no longer; connect it at "
            f"{connect_url(house)}"
        ),
        "data": {"idp": "hub", "connect_url": connect_url(house)},
    }


async def test_a_list_names_the_server_whose_account_is_missing(house: House) -> None:
    caller = await house.gateway()
    _, caller.token = await house.person()
    listed = (await caller.ask("tools/list")).json()["result"]
    [missing] = listed["_meta"]["dev.ostiary/unavailable"]
    assert (missing["server"], missing["step"]) == ("github", "account")
