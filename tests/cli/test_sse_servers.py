"""Servers that speak HTTP+SSE, the transport of MCP 2024-11-05, as the commands see them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.cli.conftest import Ostiary, in_background
from tests.gateway.legacy.conftest import ANYWHERE
from tests.loopback import HANGS_UP

from ostiary.transport.serving import address_of, bind, serving

SPOKEN = "speaks MCP 2025-11-25 (legacy); credential:"
KEY = "{type: bearer, token: {env: KEY}}"


class Guarded:
    """Lets nobody in without the key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = Request(scope).headers.get("authorization")
        if scope["method"] == "POST" and scope["path"] == "/sse":
            await PlainTextResponse("Method Not Allowed", 405)(scope, receive, send)
        elif said != "Bearer the-key-of-the-server":
            headers = {"www-authenticate": f'Bearer error="invalid_token", error_description="not {said}"'}
            await PlainTextResponse("no", 401, headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def old_server() -> MCPServer[None]:
    server: MCPServer[None] = MCPServer("oldest", log_level="ERROR")

    @server.tool()
    def greet(who: str) -> str:
        return f"hello {who}"

    @server.tool()
    def fail() -> str:
        raise ToolError("the archive is shut")

    return server


def started(app: ASGIApp) -> Iterator[str]:
    sock = bind(ANYWHERE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ostiary.transport.serving.DRAIN_SECONDS", 0.1)
        with in_background(serving(app, sock, limits=HANGS_UP)):
            yield f"http://{address_of(sock)}/sse"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from started(old_server().sse_app())


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    yield from started(Guarded(old_server().sse_app()))


def configured(url: str, **settings: Any) -> None:
    server = {"url": url, **settings}
    gateway = {"allow_unauthenticated": True, "servers": {"archive": server}}
    Path("ostiary.yaml").write_text(json.dumps({"gateway": gateway}))


def test_a_url_is_listed_and_called(ostiary: Ostiary, url: str) -> None:
    listed = ostiary("tools", url)
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.startswith(f"{url} {SPOKEN} none (none was found for this URL)\n")
    assert ostiary("call", url, "greet", "who=Ada") == (0, "hello Ada\n", "")


@pytest.mark.parametrize("transport", ["auto", "sse"])
def test_a_server_of_the_file_is_listed_and_called(ostiary: Ostiary, url: str, transport: str) -> None:
    configured(url, transport=transport)
    assert SPOKEN in ostiary("tools", "--server", "archive").out
    assert ostiary("call", "--server", "archive", "greet", "who=Ada") == (0, "hello Ada\n", "")


def test_one_that_is_said_to_speak_streamable_http_is_asked_nothing_else(ostiary: Ostiary, url: str) -> None:
    configured(url, transport="streamable_http")
    refused = ostiary("tools", "--server", "archive")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"{url} answered 405 Method Not Allowed: Server returned an error response\n"


def test_the_credential_is_sent(ostiary: Ostiary, guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "the-key-of-the-server")
    called = ostiary("call", guarded, "greet", "who=Ada", "--credential", KEY)
    assert called == (0, "hello Ada\n", "")


def test_a_token_that_is_refused_is_not_shown(
    ostiary: Ostiary, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "another-secret-word")
    called = ostiary("call", guarded, "greet", "who=Ada", "--credential", KEY)
    assert (called.code, called.out) == (1, "")
    assert f"server {guarded}" in called.err
    assert "another-secret-word" not in called.err


def test_an_error_of_a_tool_is_the_callers_to_read(ostiary: Ostiary, url: str) -> None:
    refused = ostiary("call", url, "fail")
    assert (refused.code, refused.out) == (1, "")
    assert "the archive is shut" in refused.err


def test_what_is_nothing_of_both_is_told_as_before(ostiary: Ostiary, url: str) -> None:
    nowhere = url.replace("/sse", "/nowhere")
    told = ostiary("tools", nowhere)
    assert told == (1, "", f"{nowhere} answered 404 Not Found: no MCP server is at that path\n")


def test_the_doctor_says_what_it_is_and_that_it_works(ostiary: Ostiary, url: str) -> None:
    examined = ostiary("doctor", url)
    assert (examined.code, examined.err) == (0, "")
    lines = examined.out.splitlines()
    assert "  ok       ask      let in: MCP 2025-11-25 (legacy) over HTTP+SSE" in lines
    assert "  ok       call     MCP 2025-11-25 (legacy) over HTTP+SSE" in lines
    assert lines[-1] == f"The call works: {url} lets credential none in."


def test_the_doctor_says_which_credential_it_wants(
    ostiary: Ostiary, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = json.loads(ostiary("doctor", guarded, "--json").out)
    assert without["diagnosis"]["cause"] == "no_credential"
    monkeypatch.setenv("KEY", "the-key-of-the-server")
    assert ostiary("doctor", guarded, "--credential", KEY).code == 0


@pytest.mark.parametrize(
    ("endpoint", "cause"),
    [("/messages", "no_answer"), ("http://elsewhere.example.com/messages", "wrong_path")],
    ids=["says no more", "sends us elsewhere"],
)
def test_a_server_that_only_begins_does_not_work(ostiary: Ostiary, endpoint: str, cause: str) -> None:
    posted: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method == "GET":
            stream = StreamingResponse(iter([f"event: endpoint\ndata: {endpoint}\n\n"]))
            stream.headers["content-type"] = "text/event-stream"
            await stream(scope, receive, send)
            return
        posted.append(request.url.path)
        status = 202 if request.url.path == "/messages" else 405
        await PlainTextResponse("", status)(scope, receive, send)

    for url in started(app):
        told = json.loads(ostiary("doctor", url, "--json").out)
        assert told["diagnosis"]["cause"] == cause
        assert ("/messages" in posted) is (cause == "no_answer")
        called = ostiary("call", url, "greet")
        assert (called.code, called.out) == (1, "")
        assert "its stream" in called.err
