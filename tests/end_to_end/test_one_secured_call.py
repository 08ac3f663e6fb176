"""The official SDK's client calls the zoo: through the gateway, with a credential on every hop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, TextResourceContents
from tests.end_to_end.conftest import ACCOUNT, ostiary_up

from ostiary.credentials import GoogleIdToken
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind

if TYPE_CHECKING:
    from ostiary.cloudrun.emulator import Emulator


@pytest.fixture
async def origin(google: Emulator, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway that lets the visitor in, and has its own token from the metadata server."""
    with bind(Listen("127.0.0.1", 0)) as free:
        listen = str(address_of(free))
    allow = [{"email": ACCOUNT.format("visitor")}]
    zoo = {"url": f"{google.service_url('zoo')}/mcp", "credential": {"type": "google_id_token"}}
    gateway = {
        "listen": listen,
        "inbound": [{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": allow}],
        "servers": {"zoo": zoo},
    }
    async with ostiary_up({"gateway": gateway}, google, tmp_path):
        yield f"http://{listen}"


def visitor(url: str, tmp_path: Path) -> httpx2.AsyncClient:
    credential = GoogleIdToken(key_file=tmp_path / "visitor.json", audience=url)
    return httpx2.AsyncClient(auth=CredentialAuth(credential, server_url=url), trust_env=False)


@pytest.mark.parametrize(
    ("path", "prefix", "scheme"), [("/mcp", "zoo_", "zoo+"), ("/servers/zoo/mcp", "", "")]
)
async def test_the_official_client_uses_everything_of_the_zoo(
    google: Emulator, origin: str, tmp_path: Path, path: str, prefix: str, scheme: str
) -> None:
    url = origin + path
    async with visitor(url, tmp_path) as http, Client(streamable_http_client(url, http_client=http)) as zoo:
        tools = [tool.name for tool in (await zoo.list_tools()).tools]
        assert sorted(tools) == [f"{prefix}get_animal_details", f"{prefix}get_animals_by_species"]

        penguins = await zoo.call_tool(f"{prefix}get_animals_by_species", {"species": "penguin"})
        assert penguins.structured_content is not None
        names = [animal["name"] for animal in penguins.structured_content["result"]]
        assert names == ["Waddles", "Pip", "Skipper", "Chilly", "Pingu", "Noot"]

        pingu = await zoo.call_tool(f"{prefix}get_animal_details", {"name": "Pingu"})
        assert pingu.structured_content is not None
        assert pingu.structured_content["result"]["trail"] == "Polar Path"

        assert [prompt.name for prompt in (await zoo.list_prompts()).prompts] == [f"{prefix}find"]
        prompt = await zoo.get_prompt(f"{prefix}find", {"animal": "Pingu"})
        content = prompt.messages[0].content
        assert isinstance(content, TextContent)
        assert content.text.startswith("Find out with the tools of the zoo where Pingu can be seen.")

        uri = f"{scheme}zoo://species/penguin"
        assert uri in [str(resource.uri) for resource in (await zoo.list_resources()).resources]
        [resource] = (await zoo.read_resource(uri)).contents
        assert isinstance(resource, TextResourceContents)
        assert (str(resource.uri), len(json.loads(resource.text))) == (uri, 6)
    assert google.minted["id_token"] == 2  # the visitor's for the gateway, the gateway's for the zoo


async def test_the_visitors_token_does_not_open_the_zoo_itself(google: Emulator, tmp_path: Path) -> None:
    url = f"{google.service_url('zoo')}/mcp"
    async with visitor(google.service_url("zoo"), tmp_path) as http:
        assert (await http.post(url, json={})).status_code == 403
