"""Which era a server speaks is found out once, and found out anew when it speaks another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.legacy.conftest import Modern, OldServer, message_of, text_of
from tests.gateway.sessions.conftest import RawClient

from ostiary.settings import Listen
from ostiary.transport.serving import bind

if TYPE_CHECKING:
    from tests.gateway.conftest import StartGateway

AN_ANSWER = {"content": [{"type": "text", "text": "hello"}]}


class Raw:
    """A server whose every answer is the test's, the one to the question of eras too."""

    def __init__(self) -> None:
        self.url = ""
        self.methods: list[str] = []
        self.answers: dict[str, Any] = {}
        """Method → (status, JSON-RPC members), or a response, or a function that gives one."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.methods.append(body["method"])
        answer = self.answers.get(body["method"], (202, {}))
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        status, members = answer
        return web.json_response({"jsonrpc": "2.0", "id": body.get("id"), **members}, status=status)


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    server = Raw()
    app = web.Application()
    app.router.add_route("*", "/mcp", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    sock = bind(Listen("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    server.url = "http://{}:{}/mcp".format(*sock.getsockname())
    yield server
    await runner.cleanup()


@pytest.fixture
async def before_raw(raw: Raw, start_gateway: StartGateway) -> Modern:
    return Modern(await start_gateway(servers={"s": {"url": raw.url, "timeout": "300ms"}}))


SHAKES_HANDS: dict[str, Any] = {
    "initialize": (200, {"result": {"protocolVersion": "2025-03-26", "capabilities": {}}}),
    "tools/call": (200, {"result": AN_ANSWER}),
}
MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "resultType": "complete"}


async def test_those_who_call_at_once_ask_once(modern: Modern, old: OldServer) -> None:
    results = await asyncio.gather(*(modern.call("add", number, a=number, b=0) for number in range(8)))
    assert [text_of(result) for result in results] == [str(number) for number in range(8)]
    assert (old.methods.count("server/discover"), old.methods.count("initialize")) == (1, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        (200, {"error": {"code": -32601, "message": "Method not found"}}),
        (404, {"error": {"code": -32601, "message": "Method not found"}}),
        (200, {"error": {"code": -32602, "message": "Invalid request parameters"}}),
        (400, {"error": {"code": -32600, "message": "Bad Request: Missing session ID"}}),
        (400, {"error": {"code": -32000, "message": "Bad Request: Server not initialized"}}),
        (400, {"error": {"code": -32022, "message": "no", "data": {"supported": ["2025-11-25"]}}}),
        (200, {"result": {"supportedVersions": ["2025-11-25"], "capabilities": {}}}),
        (405, {}),
        (406, {}),
    ],
)
async def test_a_server_that_knows_no_discovery_is_shaken_hands_with(
    before_raw: Modern, raw: Raw, refusal: Any
) -> None:
    raw.answers = {"server/discover": refusal, **SHAKES_HANDS}
    assert text_of(await before_raw.call("x")) == "hello"
    assert text_of(await before_raw.call("x")) == "hello"
    asked = ["server/discover", "initialize", "notifications/initialized", "tools/call", "tools/call"]
    assert raw.methods == asked


@pytest.mark.parametrize(
    "said",
    [
        (200, {"result": MODERN}),
        (400, {"error": {"code": -32020, "message": "a header lies"}}),
        (400, {"error": {"code": -32021, "message": "a capability is missing"}}),
        (400, {"error": {"code": -32022, "message": "no", "data": {"supported": ["2027-01-01"]}}}),
    ],
)
async def test_a_server_that_speaks_like_a_modern_one_is_modern(
    before_raw: Modern, raw: Raw, said: Any
) -> None:
    raw.answers = {"server/discover": said, "tools/call": (200, {"result": AN_ANSWER})}
    for _ in range(2):
        assert text_of(await before_raw.call("x")) == "hello"
    assert raw.methods == ["server/discover", "tools/call", "tools/call"]


async def test_a_server_that_knows_neither_question_is_called_all_the_same(
    before_raw: Modern, raw: Raw
) -> None:
    unknown = (200, {"error": {"code": -32601, "message": "Method not found"}})
    raw.answers = {
        "server/discover": unknown,
        "initialize": unknown,
        "tools/call": SHAKES_HANDS["tools/call"],
    }
    assert text_of(await before_raw.call("x")) == "hello"


async def test_discovery_itself_is_the_question(before_raw: Modern, raw: Raw) -> None:
    raw.answers = {"server/discover": (200, {"result": MODERN})}
    assert message_of(await before_raw.ask("server/discover", None, "mine"))["id"] == "mine"
    assert raw.methods == ["server/discover"]


async def test_an_answer_on_a_stream_tells_as_well(before_raw: Modern, raw: Raw) -> None:
    async def on_a_stream(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b': hello\n\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n')
        body = b'data: {"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"]}}\n\n'
        await stream.write(body)
        return stream

    raw.answers = {"server/discover": on_a_stream, "tools/call": SHAKES_HANDS["tools/call"]}
    assert text_of(await before_raw.call("x")) == "hello"
    assert raw.methods == ["server/discover", "tools/call"]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
async def test_what_says_nothing_about_the_era_settles_nothing(
    before_raw: Modern, raw: Raw, status: int
) -> None:
    raw.answers = {"server/discover": (status, {})}
    assert "error" in message_of(await before_raw.ask("tools/call", {"name": "x", "arguments": {}}))
    raw.answers = {"server/discover": (404, {}), **SHAKES_HANDS}
    assert text_of(await before_raw.call("x")) == "hello"


async def test_a_server_that_hangs_keeps_all_who_ask_no_longer_than_one(before_raw: Modern, raw: Raw) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    raw.answers = {"server/discover": hang}
    asked = [before_raw.ask("tools/call", {"name": "x", "arguments": {}}) for _ in range(5)]
    answers = [message_of(answered) for answered in await asyncio.gather(*asked)]
    assert {answer["error"]["code"] for answer in answers} == {-32011}
    assert raw.methods == ["server/discover"]


async def test_who_asks_and_leaves_leaves_the_question_to_others(before_raw: Modern, raw: Raw) -> None:
    asked = asyncio.Event()

    async def hang_once(_: web.Request) -> web.StreamResponse:
        if not asked.is_set():
            asked.set()
            await asyncio.sleep(60)
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": MODERN})

    raw.answers = {"server/discover": hang_once, "tools/call": SHAKES_HANDS["tools/call"]}
    first = asyncio.create_task(before_raw.call("x"))
    await asked.wait()
    second = asyncio.create_task(before_raw.call("x"))
    await asyncio.sleep(0.02)
    first.cancel()
    assert text_of(await second) == "hello"


async def test_a_server_that_is_upgraded_or_rolled_back_in_place_is_spoken_to_as_it_is(
    modern: Modern, old: OldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.era.SECONDS_BETWEEN", 0.0)
    for era in ("legacy", "modern", "legacy"):
        old.era = era
        await old.restart()
        assert text_of(await modern.call("add", a=1, b=2)) == "3"
    assert old.methods.count("server/discover") == 3


async def test_bad_calls_of_one_caller_make_nobody_ask_again(before_raw: Modern, raw: Raw) -> None:
    bad = (400, {"error": {"code": -32600, "message": "no"}})
    raw.answers = {"server/discover": (200, {"result": MODERN}), "tools/call": bad}
    for _ in range(5):
        await before_raw.ask("tools/call", {"name": "x", "arguments": {}})
    assert raw.methods == ["server/discover", *["tools/call"] * 5]


async def legacy_caller(before_raw: Modern) -> RawClient:
    client = RawClient(before_raw.caller, path=before_raw.path)
    await client.initialize()
    return client


async def begins_a_session(request: web.Request) -> web.StreamResponse:
    _, members = SHAKES_HANDS["initialize"]
    answer = {"jsonrpc": "2.0", "id": (await request.json())["id"], **members}
    return web.json_response(answer, headers={"mcp-session-id": "known"})


WITHOUT_SESSIONS = {**SHAKES_HANDS, "server/discover": (200, {"result": MODERN})}
SPEAKS_BOTH = {**WITHOUT_SESSIONS, "initialize": begins_a_session}


async def test_a_server_that_speaks_both_eras_is_spoken_to_in_its_callers(
    before_raw: Modern, raw: Raw
) -> None:
    raw.answers = SPEAKS_BOTH
    assert text_of(await before_raw.call("x")) == "hello"
    assert raw.methods == ["server/discover", "tools/call"]
    raw.methods.clear()
    for _ in range(2):
        caller = await legacy_caller(before_raw)
        for _ in range(2):
            answered = message_of(await caller.post("tools/call", {"name": "x", "arguments": {}}))
            assert answered["result"]["content"] == AN_ANSWER["content"]
    assert raw.methods.count("initialize") == 2  # a session for each of theirs
    raw.methods.clear()
    assert text_of(await before_raw.call("x")) == "hello"
    assert raw.methods == ["tools/call"]


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {"error": {"code": -32022, "message": "no", "data": {"supported": ["2026-07-28"]}}}),
        (404, {"error": {"code": -32601, "message": "Method not found"}}),
        (405, {}),
        (200, {"result": {}}),
        (200, {"result": {"protocolVersion": "2027-01-01", "capabilities": {}}}),
    ],
)
async def test_a_modern_server_is_asked_once_whether_it_shakes_hands_too(
    before_raw: Modern, raw: Raw, refusal: Any
) -> None:
    raw.answers = {**SPEAKS_BOTH, "initialize": refusal}
    for _ in range(2):
        caller = await legacy_caller(before_raw)
        answered = message_of(await caller.post("tools/call", {"name": "x", "arguments": {}}))
        assert answered["result"]["content"] == AN_ANSWER["content"]
    assert raw.methods.count("initialize") == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_handshake_that_says_nothing_is_tried_again(
    before_raw: Modern, raw: Raw, status: int
) -> None:
    raw.answers = {**SPEAKS_BOTH, "initialize": (status, {})}
    caller = await legacy_caller(before_raw)
    for raw.answers["initialize"] in ((status, {}), begins_a_session):
        answered = message_of(await caller.post("tools/call", {"name": "x", "arguments": {}}))
        assert answered["result"]["content"] == AN_ANSWER["content"]
    assert "notifications/initialized" in raw.methods


async def test_a_server_that_shakes_hands_and_keeps_no_session_is_spoken_to_as_a_modern_one(
    before_raw: Modern, raw: Raw
) -> None:
    raw.answers = WITHOUT_SESSIONS
    for _ in range(2):
        caller = await legacy_caller(before_raw)
        answered = message_of(await caller.post("tools/call", {"name": "x", "arguments": {}}))
        assert answered["result"]["content"] == AN_ANSWER["content"]
    assert raw.methods.count("initialize") == 1
    assert raw.methods[-1] == "tools/call"


async def test_a_handshake_that_hangs_is_waited_for_once(before_raw: Modern, raw: Raw) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    raw.answers = {**SPEAKS_BOTH, "initialize": hang}
    caller = await legacy_caller(before_raw)
    for _ in range(2):
        answered = message_of(await caller.post("tools/call", {"name": "x", "arguments": {}}))
        assert answered["result"]["content"] == AN_ANSWER["content"]
    assert raw.methods.count("initialize") == 1
