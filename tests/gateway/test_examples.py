"""The shipped gateways: all load, and each runs with servers of ours in place of those that it names."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from mcp.server.mcpserver import MCPServer
from ruamel.yaml import YAML
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp
from tests.gateway.conftest import Caller, StartGateway
from tests.loopback import HANGS_UP

from ostiary.config import OstiaryFile, load
from ostiary.config.schema import file_schema
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

FOLDER = Path(__file__).parents[2] / "examples" / "gateway"
FILES = sorted(FOLDER.glob("*.yaml"))
PROGRAM = """
import os
from mcp.server.mcpserver import MCPServer

server = MCPServer("program")

@server.tool()
def whoami() -> str:
    return f"{os.environ.get('WEATHER_KEY')} {os.environ.get('UNITS')} {os.getcwd()}"

server.run("stdio")
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_loads_and_says_first_what_it_is_for(file: Path) -> None:
    assert load(file).gateway is not None
    for_editors, what_for, *_ = file.read_text("utf-8").splitlines()
    assert for_editors == "# yaml-language-server: $schema=ostiary.schema.json"
    assert what_for.startswith("# ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_editors_have_nothing_to_say_about_it(file: Path) -> None:
    jsonschema.validate(YAML(typ="safe").load(file), file_schema(OstiaryFile))


def test_each_is_in_the_list() -> None:
    listed = (FOLDER / "README.md").read_text("utf-8")
    assert [file.name for file in FILES if f"({file.name})" not in listed] == []


class Servers:
    """Official servers that let in whoever shows this header, and the issuer of a token."""

    def __init__(self, running: AsyncExitStack) -> None:
        self._running = running

    async def official(self, header: str, value: str, *, sse: bool = False) -> str:
        """The URL of one with a tool `find_it`."""
        server: MCPServer[None] = MCPServer("official", log_level="ERROR")

        @server.tool()
        def find_it() -> str:
            return f"found with {header}"

        app = server.sse_app() if sse else server.streamable_http_app()
        return await self.serve(guarded(app, header, value)) + ("/sse" if sse else "/mcp")

    async def issuer(self, secret: str, token: str) -> str:
        """The URL of a token endpoint that gives this token for this secret."""

        async def give(request: Request) -> JSONResponse:
            form = await request.form()
            assert (form["grant_type"], form["scope"]) == ("client_credentials", "tickets.read")
            shown = httpx2.BasicAuth("gateway", secret)._auth_header
            assert request.headers["authorization"] == shown
            return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 600})

        app = Starlette()
        app.add_route("/oauth/token", give, methods=["POST"])
        return await self.serve(app) + "/oauth/token"

    async def serve(self, app: ASGIApp) -> str:
        sock = bind(Listen("127.0.0.1", 0))
        await self._running.enter_async_context(serving(app, sock, limits=HANGS_UP))
        return f"http://{address_of(sock)}"


def guarded(app: ASGIApp, header: str, value: str) -> ASGIApp:
    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (header.encode(), value.encode()) not in scope["headers"]:
            await JSONResponse({}, 401)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guard


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as running:
        yield Servers(running)


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "program.py").write_text(PROGRAM)
    return [sys.executable, str(tmp_path / "program.py")]


def written(name: str) -> dict[str, Any]:
    settings: dict[str, Any] = YAML(typ="safe").load(FOLDER / name)["gateway"]
    return {name: value for name, value in settings.items() if name not in {"listen", "url", "inbound"}}


async def called(caller: Caller, tool: str, path: str = "/mcp") -> str:
    answer = await caller.ask("tools/call", {"name": tool, "arguments": {}}, path=path)
    *_, message = [answer.json()] if answer.text.startswith("{") else events(answer.text)
    assert "result" in message, message
    return str(message["result"]["content"][0]["text"])


def events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


async def test_one_endpoint_reaches_every_server_with_its_own_credential(
    servers: Servers, command: list[str], start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SEARCH_API_KEY", "TICKETS_SECRET", "ARCHIVE_TOKEN", "WEATHER_KEY"):
        monkeypatch.setenv(name, f"the-{name.lower()}")
    settings = written("one-endpoint.yaml")
    there = settings["servers"]
    del there["reports"]  # the only one that wants Google; its credential has tests of its own
    there["search"]["url"] = await servers.official("x-api-key", "the-search_api_key")
    there["tickets"]["url"] = await servers.official("authorization", "Bearer a-ticket")
    there["tickets"]["credential"]["token_url"] = await servers.issuer("the-tickets_secret", "a-ticket")
    there["archive"]["url"] = await servers.official("authorization", "Bearer the-archive_token", sse=True)
    there["files"]["command"] = there["weather"]["command"] = command
    caller = await start_gateway(allow_unauthenticated=True, **settings)
    caller.http.timeout = httpx2.Timeout(60)
    assert await called(caller, "search_find_it") == "found with x-api-key"
    assert await called(caller, "tickets_find_it") == "found with authorization"
    assert await called(caller, "archive_find_it") == "found with authorization"
    assert (await called(caller, "files_whoami")).startswith("None None ")
    assert (await called(caller, "weather_whoami")).startswith("the-weather_key metric ")
    listed = await caller.ask("tools/list", path="/virtual/support/mcp")
    assert {tool["name"] for tool in listed.json()["result"]["tools"]} == {
        "tickets_find_it",
        "search_find_it",
    }


async def test_one_person_has_programs_and_servers_in_one_place(
    servers: Servers,
    command: list[str],
    start_gateway: StartGateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SEARCH_API_KEY", "a-key")
    settings = written("desktop.yaml")
    there = settings["servers"]
    there["search"]["url"] = await servers.official("x-api-key", "a-key")
    there["files"]["command"] = there["git"]["command"] = command
    there["git"]["cwd"] = str(tmp_path)
    caller = await start_gateway(**settings)
    caller.http.timeout = httpx2.Timeout(60)
    assert await called(caller, "search_find_it") == "found with x-api-key"
    assert await called(caller, "git_whoami") == f"None None {tmp_path}"
    assert await called(caller, "files_whoami") == f"None None {Path.cwd()}"
