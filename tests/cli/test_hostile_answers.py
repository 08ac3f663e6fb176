"""Servers whose answers are made to fill memory, to break the reader, or to have our token printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from tests.cli.conftest import Ostiary, in_background
from tests.cli.test_bridge import MODERN, bridged

from ostiary.cli.console import print_json
from ostiary.cli.failure import Failure
from ostiary.cli.mcp_client.streamable_http import LONGEST_PAUSE, StreamableHttp
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

Respond = Callable[[Any], Response]
TOKEN = "tiger/in+the-night"
BEARER = '{"type": "bearer", "token": {"env": "TOKEN"}}'
DISCOVERED = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
TOO_LONG = "its answer is longer than 16777216 bytes"


@asynccontextmanager
async def hostile(respond: Respond) -> AsyncIterator[str]:
    """A server, by its URL. respond: to the message that came."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        await respond(json.loads(body) if body else {})(scope, receive, send)

    sock = bind(Listen("127.0.0.1", 0))
    async with serving(app, sock):
        yield f"http://{address_of(sock)}/mcp"


def result(message: Any, said: Any) -> Response:
    """The answer to a request."""
    body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": said})
    return Response(body, media_type="application/json")


def tool_server(result_of_call: Any, **tool: Any) -> Respond:
    """One tool, `x`, and what it gives."""

    def respond(message: Any) -> Response:
        listed = {"tools": [{"name": "x", "inputSchema": {"type": "object"}, **tool}]}
        said = {"server/discover": DISCOVERED, "tools/list": listed, "tools/call": result_of_call}
        return result(message, said[message["method"]])

    return respond


def endless(status: int, kind: str, begins: str, goes_on: str) -> Respond:
    async def body() -> AsyncIterator[str]:
        yield begins
        while True:
            yield goes_on * (64 * 1024 // len(goes_on))
            await asyncio.sleep(0)  # sending to who has left gives way to nobody

    return lambda _: StreamingResponse(body(), status, media_type=kind)


# Without end.


@pytest.mark.parametrize(
    ("status", "kind", "begins", "goes_on", "said"),
    [
        (200, "application/json", '{"jsonrpc": "2.0", "id": 1, "result": {"x": [', "1, ", TOO_LONG),
        (200, "application/json", "", " ", TOO_LONG),
        (500, "text/html", "<h1>oh</h1>", "no", TOO_LONG),
        (401, "text/event-stream", "", "data: 1\n\n", TOO_LONG),
        (200, "text/event-stream", "data: ", "1", "an event is longer than 16777216 bytes"),
        (200, "text/event-stream", "", f"data: {'1' * 1000}\n", "an event is longer than 16777216 bytes"),
    ],
    ids=["JSON", "blanks", "page", "refusal", "line", "event"],
)
def test_an_endless_answer_is_given_up(
    ostiary: Ostiary, status: int, kind: str, begins: str, goes_on: str, said: str
) -> None:
    with in_background(hostile(endless(status, kind, begins, goes_on))) as url:
        outcome = ostiary("tools", url)
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(("status", "kind"), [(200, "application/json"), (404, "text/event-stream")])
async def test_an_endless_answer_is_told_to_the_bridges_client(status: int, kind: str) -> None:
    async with hostile(endless(status, kind, "", " ")) as url, bridged(url, "--no-credential") as bridge:
        refused = await bridge.ask(1, "server/discover", _meta=MODERN)
        again = await bridge.ask(2, "server/discover", _meta=MODERN)
    assert refused["error"] == again["error"] == {"code": -32010, "message": f"server {url}: {TOO_LONG}"}


def test_an_endless_answer_keeps_no_doctor(ostiary: Ostiary) -> None:
    with in_background(hostile(endless(200, "application/json", "", " "))) as url:
        outcome = ostiary("doctor", url, "--no-credential")
    assert (outcome.code, outcome.err) == (1, "")
    assert f"{url} is no MCP server" in outcome.out


async def test_a_pause_of_eleven_days_before_a_stream_goes_on_is_half_a_minute() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def respond(_: Any) -> Response:
        if pauses:
            return Response(status_code=404)
        return Response("id: 1\nretry: 999999999\n\n", media_type="text/event-stream")

    async with hostile(respond) as url, httpx2.AsyncClient(trust_env=False) as http:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        told = [one async for one in StreamableHttp(http, url, sleep=sleep).send(asked)]
    assert pauses == [LONGEST_PAUSE] * 2
    assert [one["error"]["code"] for one in told] == [-32000]


# Nested.


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "gave an answer that is not valid: it is no JSON-RPC message"),
        (500, "answered 500 Internal Server Error: Server returned an error response"),
    ],
)
def test_an_answer_nested_without_end_is_one_that_is_not_valid(
    ostiary: Ostiary, status: int, said: str
) -> None:
    with in_background(hostile(lambda _: Response(DEEP, status, media_type="application/json"))) as url:
        called = ostiary("tools", url)
        examined = ostiary("doctor", url, "--no-credential")
    assert called == (1, "", f"{url} {said}\n")
    assert (examined.code, examined.err) == (1, "")


def nested(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_an_answer_at_the_edge_of_what_can_be_read_is_told_or_shown(ostiary: Ostiary) -> None:
    schema = {"$defs": {"list": {"type": "array", "items": {"$ref": "#/$defs/list"}}}, "$ref": "#/$defs/list"}
    for depth in (100, 300, 700, 900):
        given: Any = {"content": [], "structuredContent": nested(depth)}
        with in_background(hostile(tool_server(given, outputSchema=schema))) as url:
            outcomes = [ostiary("call", url, "x")]
        with in_background(hostile(tool_server(given))) as url:
            outcomes += [ostiary("call", url, "x", *words) for words in ([], ["--json"])]
        for outcome in outcomes:
            assert outcome.code == 0 or outcome.err.count("\n") == 1


def test_what_is_nested_deeper_than_can_be_shown_is_told() -> None:
    with pytest.raises(Failure) as told:
        print_json(nested(5000))
    assert str(told.value) == "the answer is nested too deeply to be shown as JSON"


async def test_the_bridge_stands_whatever_is_nested() -> None:
    def respond(message: Any) -> Response:
        return result(message, {"x": nested(message["params"]["depth"])})

    async with hostile(respond) as url, bridged(url, "--no-credential") as bridge:
        for depth in (500, *range(850, 990, 3)):
            answered = await bridge.ask(depth, "x", depth=depth, _meta=MODERN)
            assert answered["id"] == depth


def test_a_schema_that_leads_to_itself_is_told(ostiary: Ostiary) -> None:
    given: Any = {"content": [], "structuredContent": {}}
    with in_background(hostile(tool_server(given, outputSchema={"$ref": "#"}))) as url:
        outcome = ostiary("call", url, "x")
    assert outcome == (1, "", f"{url} gave an answer that is not valid: it is nested too deeply\n")


# Of other types.

PROPERTIES: list[Any] = [5, [5], None]
ARGUMENTS: list[Any] = [5, [{}], [5], [{"name": 4}], None]
OF_A_SCHEMA: list[Any] = [5, {"a": 5}, {"a": {"type": 5}}, {"a": {"type": [[], {}]}}, {"a": {"anyOf": 5}}]
OBJECT = {"type": "object"}
ODD: list[tuple[str, Any]] = [
    ("tools", {"name": "x", "inputSchema": OBJECT, "description": 5}),
    ("tools", {"name": "x", "inputSchema": OBJECT, "title": {"a": 1}}),
    *(("tools", {"name": "x", "inputSchema": {"properties": odd}}) for odd in PROPERTIES),
    *(("prompts", {"name": "x", "arguments": odd}) for odd in ARGUMENTS),
    ("resources", {"uri": "a", "name": "x", "description": []}),
]


@pytest.mark.parametrize(("kind", "entry"), ODD)
def test_a_list_whose_members_are_of_other_types_is_shown(ostiary: Ostiary, kind: str, entry: Any) -> None:
    def respond(message: Any) -> Response:
        if message["method"] == "server/discover":
            return result(message, {**DISCOVERED, "capabilities": {kind: {}}})
        return result(message, {one: [entry] * (one == kind) for one in (kind, "resourceTemplates")})

    with in_background(hostile(respond)) as url:
        outcome = ostiary("tools", url)
    assert (outcome.code, outcome.err) == (0, "")
    assert "speaks MCP" in outcome.out


@pytest.mark.parametrize(
    "schema",
    [
        *({"properties": odd} for odd in OF_A_SCHEMA),
        {"required": 5},
        {"required": [5]},
    ],
)
def test_a_tool_whose_schema_is_none_is_called(ostiary: Ostiary, schema: Any) -> None:
    with in_background(hostile(tool_server({"content": []}, inputSchema=schema))) as url:
        assert ostiary("call", url, "x", "a=1") == (0, "\n", "")


@pytest.mark.parametrize(
    "schema", [5, "x", {"type": 5}, {"$schema": 5}, {"$ref": 5}, {"$ref": "http://[::1/x"}]
)
def test_a_promise_that_is_no_schema_is_told(ostiary: Ostiary, schema: Any) -> None:
    given: Any = {"content": [], "structuredContent": {}}
    with in_background(hostile(tool_server(given, outputSchema=schema))) as url:
        outcome = ostiary("call", url, "x")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"{url} gave an answer that is not valid: Invalid schema for tool x: ")


# Our token.


def repeating_a_version(message: Any) -> Response:
    if message.get("method") != "initialize":
        return Response(status_code=404)
    return result(message, {"protocolVersion": "x" * 90 + TOKEN, "capabilities": {}})


def repeating_a_coding(_: Any) -> Response:
    return Response(b"", media_type="application/json", headers={"content-encoding": TOKEN})


PROMISED = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    "respond",
    [
        tool_server({"content": [], "structuredContent": {"n": TOKEN}}, outputSchema=PROMISED),
        tool_server(
            {"content": [], "structuredContent": {"n": "dGlnZXIvaW4rdGhlLW5pZ2h0"}}, outputSchema=PROMISED
        ),
        tool_server({"content": []}, name=TOKEN),
        tool_server({}, inputSchema={"type": "object", "properties": {TOKEN: {}}}),
        repeating_a_version,
        repeating_a_coding,
        lambda _: Response(b"", media_type=f"text/{TOKEN}"),
        lambda _: Response(json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": TOKEN}})),
    ],
    ids=["structured", "in base64", "tool", "argument", "version", "coding", "type", "error"],
)
def test_a_server_that_repeats_the_token_in_a_faulty_answer_is_not_quoted(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch, respond: Respond
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    with in_background(hostile(respond)) as url:
        called = ostiary("call", url, "x", "m=1", "--credential", BEARER)
        examined = ostiary("doctor", url, "--credential", BEARER)
    assert called.code != 0
    after = examined.out.partition(" token ")[2] + examined.err  # before, nothing was sent to be repeated
    for form in ("tiger", "dGlnZXIv"):
        assert form not in called.out + called.err
        assert form not in after


@asynccontextmanager
async def no_http(says: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A server that answers with what it makes of the token in a request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(64 * 1024)
        token = head.lower().partition(b"authorization: bearer ")[2].partition(b"\r\n")[0]
        writer.write(says(token) + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield "http://{}:{}/mcp".format(*server.sockets[0].getsockname()[:2])


REPEATED_BADLY: list[Callable[[bytes], bytes]] = [
    lambda token: b"HTTP/1.1 " + token,
    lambda token: token,
    lambda token: b"HTTP/1.1 200 OK\r\n" + token,
    lambda token: (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + token
    ),
    lambda token: b"HTTP/1.1 200 OK\r\ncontent-length: " + token,
]


@pytest.mark.parametrize("says", REPEATED_BADLY, ids=["status", "line", "header", "chunk", "length"])
def test_a_server_that_repeats_the_token_in_place_of_http_is_not_quoted(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch, says: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    with in_background(no_http(says)) as url:
        called = ostiary("tools", url, "--credential", BEARER)
        examined = ostiary("doctor", url, "--credential", BEARER)
    assert (called.code, examined.code) == (1, 1)
    assert "cannot be reached: " in called.err
    assert "tiger" not in called.err + examined.out + examined.err


@pytest.mark.parametrize(
    "respond",
    [
        lambda _: Response(status_code=302, headers={"location": f"https://elsewhere.example/{TOKEN}"}),
        lambda _: Response(status_code=403, headers={"www-authenticate": f'Bearer scope="{TOKEN}"'}),
        repeating_a_coding,
    ],
    ids=["location", "scope", "coding"],
)
async def test_a_server_that_repeats_the_token_is_not_quoted_by_the_bridge(respond: Respond) -> None:
    async with hostile(respond) as url, bridged(url, "--credential", BEARER, TOKEN=TOKEN) as bridge:
        refused = await bridge.ask(1, "server/discover", _meta=MODERN)
    assert refused["error"]["code"] in {-32012, -32014}
    assert "tiger" not in refused["error"]["message"]
