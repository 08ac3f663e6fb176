"""The zoo's MCP server, asked by the official SDK's client of both eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib import metadata

import httpx2
import pytest
from mcp import Client
from mcp_types import PromptReference, TextContent, TextResourceContents
from tests.captured_events import captured_events

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo import animals
from ostiary.zoo.listening import BadPort, listen_address
from ostiary.zoo.server import SdkTooOld, zoo_app

PENGUINS = [asdict(animal) for animal in animals.of_species("penguin")]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(zoo_app(), sock):
        yield f"http://{address_of(sock)}/mcp"


@pytest.fixture(params=["2026-07-28", "legacy"])
def zoo(url: str, request: pytest.FixtureRequest) -> Client:
    """A client of each era, to be opened in the test: its task groups want one task from start to end."""
    return Client(url, mode=request.param)


async def test_the_tools_say_what_they_take_and_give(zoo: Client) -> None:
    async with zoo:
        tools = {tool.name: tool for tool in (await zoo.list_tools()).tools}
        assert sorted(tools) == ["get_animal_details", "get_animals_by_species"]
        for tool in tools.values():
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True


async def test_the_animals_of_a_species_come_structured_and_as_text(zoo: Client) -> None:
    async with zoo:
        result = await zoo.call_tool("get_animals_by_species", {"species": " PENGUIN "})
        assert result.structured_content == {"result": PENGUINS}
        assert [json.loads(part.text) for part in result.content if isinstance(part, TextContent)] == PENGUINS


async def test_an_unknown_species_is_an_empty_list_and_no_error(zoo: Client) -> None:
    async with zoo:
        result = await zoo.call_tool("get_animals_by_species", {"species": "unicorn"})
        assert (result.structured_content, result.is_error) == ({"result": []}, False)


async def test_an_animal_is_told_by_its_name(zoo: Client) -> None:
    async with zoo:
        result = await zoo.call_tool("get_animal_details", {"name": "pingu"})
        assert result.structured_content == {"result": PENGUINS[4]}


async def test_an_unknown_animal_is_told_with_near_names(zoo: Client) -> None:
    async with zoo:
        result = await zoo.call_tool("get_animal_details", {"name": "Wadles"})
        message = "There is no animal of that name in the zoo. Did you mean Waddles?"
        assert result.structured_content == {"result": {"message": message, "near_matches": ["Waddles"]}}


async def test_there_is_a_resource_for_each_species(zoo: Client) -> None:
    async with zoo:
        resources = (await zoo.list_resources()).resources
        assert [str(resource.uri) for resource in resources][-2:] == [
            "zoo://species/polar-bear",
            "zoo://species/walrus",
        ]
        content = (await zoo.read_resource("zoo://species/penguin")).contents[0]
        assert isinstance(content, TextResourceContents)
        assert (content.mime_type, json.loads(content.text)) == ("application/json", PENGUINS)


async def test_the_prompt_asks_where_an_animal_is(zoo: Client) -> None:
    async with zoo:
        prompt = await zoo.get_prompt("find", {"animal": " Pingu "})
        content = prompt.messages[0].content
        assert isinstance(content, TextContent)
        assert content.text == (
            "Find out with the tools of the zoo where Pingu can be seen. "
            "Answer in one sentence: [animal] can be found in the [enclosure] on the [trail]."
        )


async def test_the_argument_of_the_prompt_is_completed(zoo: Client) -> None:
    async with zoo:
        reference = PromptReference(type="ref/prompt", name="find")
        completed = await zoo.complete(reference, {"name": "animal", "value": "po"})
        assert completed.completion.values == ["polar bear"]


async def test_an_argument_cannot_forge_a_line_of_the_log(zoo: Client) -> None:
    async with zoo:
        with captured_events() as logs:
            await zoo.call_tool(
                "get_animals_by_species", {"species": "lion\r\n[info] all is well\x1b[2J\u2028"}
            )
        assert logs == [
            {
                "event": "tool_called",
                "log_level": "info",
                "tool": "get_animals_by_species",
                "argument": r"lion\r\n[info] all is well\x1b[2J\u2028",
            }
        ]


async def test_a_foreign_host_is_refused_at_home(url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answered = await http.post(url, json={}, headers={"Host": "evil.example.com"})
    assert answered.status_code == 421


@pytest.mark.parametrize(
    ("environ", "listen"),
    [
        ({}, "127.0.0.1:8080"),
        ({"PORT": "9000"}, "127.0.0.1:9000"),
        ({"PORT": "9000", "K_SERVICE": "zoo"}, "0.0.0.0:9000"),
        ({"PORT": "9000", "K_SERVICE": "zoo", "HOST": "127.0.0.1"}, "127.0.0.1:9000"),
    ],
    ids=["at home", "a port", "on Cloud Run", "on the emulator"],
)
def test_it_listens_where_its_platform_wants_it(environ: dict[str, str], listen: str) -> None:
    assert str(listen_address(environ)) == listen


def test_what_is_asked_for_goes_before_the_environment() -> None:
    assert str(listen_address({"PORT": "1", "HOST": "::1"}, host="127.0.0.2", port=2)) == "127.0.0.2:2"


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(BadPort) as refused:
        listen_address({"PORT": "http"})
    assert str(refused.value) == (
        "$PORT is not a number from 0 to 65535: set it to the port the zoo should listen on"
    )


def test_an_old_sdk_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _name: "1.24.0")
    with pytest.raises(SdkTooOld) as old:
        zoo_app()
    assert str(old.value) == "the zoo needs mcp 2 or newer, and 1.24.0 is installed: pip install 'mcp>=2.3'"
