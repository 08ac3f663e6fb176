"""Old servers that lie, flood, or never end: the caller gets a typed error, and memory has an end."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from tests.gateway.conftest import StartGateway
from tests.gateway.legacy.conftest import ALL, Modern, OldServer, message_of, messages_of, text_of

from ostiary.settings import Listen
from ostiary.transport.serving import bind

Reply = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]
HELLO = {"content": [{"type": "text", "text": "hello"}]}
AGREED = {"protocolVersion": "2025-11-25", "capabilities": {"logging": {}}}
CALL = {"name": "x", "arguments": {}}
NO_FOLDERS: dict[str, Any] = {"roots": []}


async def hello(_: web.Request, body: Any) -> web.StreamResponse:
    return answer(body, HELLO)


async def not_here(_: web.Request, _body: Any) -> web.StreamResponse:
    return web.Response(status=405)


def answer(body: Any, result: Any, **headers: str) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result}, headers=headers)


def event(message: Any) -> bytes:
    return b"data: %s\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()


async def stream(request: web.Request, *parts: bytes) -> web.StreamResponse:
    answered = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answered.prepare(request)
    for part in parts:
        await answered.write(part)
    return answered


@dataclass
class Hostile:
    """Shakes hands as it should, and then does what the test says."""

    url: str = ""
    agreed: Any = field(default_factory=lambda: AGREED)
    session: str = "one"
    reply: Reply = hello
    listen: Reply = not_here
    seen: list[Any] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    refuses_answers: bool = False
    ended: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return await self.listen(request, None)
        if request.method == "DELETE":
            self.ended += 1
            return web.Response()
        body = await request.json()
        self.seen.append(body)
        match body.get("method"):
            case "server/discover":
                return web.Response(status=404)
            case "initialize":
                return answer(body, self.agreed, **{"mcp-session-id": self.session})
            case "tools/call":
                try:
                    return await self.reply(request, body)
                except (asyncio.CancelledError, ConnectionError):
                    self.left.set()
                    raise
        return await self.told() if "method" not in body else web.Response(status=202)

    async def told(self) -> web.Response:
        """Take what we say to a question."""
        if self.refuses_answers:
            return web.Response(status=401)
        self.answered.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return web.Response(status=202)

    @property
    def said(self) -> list[Any]:
        """What we answered to its questions."""
        return [message for message in self.seen if "method" not in message]


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    server = Hostile()
    app = web.Application()
    app.router.add_route("*", "/mcp", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    sock = bind(Listen("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    server.url = "http://{}:{}/mcp".format(*sock.getsockname())
    yield server
    await runner.cleanup()


@pytest.fixture
async def caller(hostile: Hostile, start_gateway: StartGateway) -> Modern:
    settings = {"url": hostile.url, "timeout": "500ms"}
    limits = {"answer_bytes": 100_000}
    return Modern(await start_gateway(servers={"s": settings}, limits=limits), ALL)


async def failure(caller: Modern) -> tuple[int, str]:
    """Code and message of the error that a call gets."""
    error = message_of(await caller.ask("tools/call", CALL))["error"]
    return error["code"], error["message"]


def memory() -> int:
    """The most that this process has had so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    ("agreed", "says"),
    [
        ({"protocolVersion": "1999-01-01", "capabilities": {}}, "1999-01-01"),
        ({"capabilities": {}}, "protocolVersion"),
        ({"protocolVersion": "2025-11-25", "capabilities": []}, "object"),
        ({"protocolVersion": "2025-11-25", "instructions": 7}, "instructions"),
        ([], "object"),
        (None, "object"),
    ],
)
async def test_a_handshake_that_is_none(caller: Modern, hostile: Hostile, agreed: Any, says: str) -> None:
    hostile.agreed = agreed
    code, message = await failure(caller)
    assert (code, says in message) == (-32012, True), message


async def test_a_handshake_that_is_too_long(caller: Modern, hostile: Hostile) -> None:
    hostile.agreed = {**AGREED, "instructions": "x" * 70_000}
    code, message = await failure(caller)
    assert (code, "longer than 65536 bytes" in message) == (-32010, True), message


@pytest.mark.parametrize("session", ["with space", "\x80\xff", "a" * 2000, "a\tb"])
async def test_a_session_id_that_is_none(caller: Modern, hostile: Hostile, session: str) -> None:
    hostile.session = session
    code, message = await failure(caller)
    assert (code, "session id" in message) == (-32010, True), message


async def test_a_session_id_that_changes_is_the_first(caller: Modern, hostile: Hostile) -> None:
    named: list[str | None] = []

    async def another(request: web.Request, body: Any) -> web.StreamResponse:
        named.append(request.headers.get("mcp-session-id"))
        return answer(body, HELLO, **{"mcp-session-id": f"other-{len(named)}"})

    hostile.reply = another
    for _ in range(3):
        assert text_of(await caller.call("x")) == "hello"
    assert named == ["one", "one", "one"]


@pytest.mark.parametrize("its_id", [999, "1", None, [], {"a": 1}])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_to_another_request(
    caller: Modern, hostile: Hostile, its_id: Any, streamed: bool
) -> None:
    async def another(request: web.Request, _: Any) -> web.StreamResponse:
        message = {"jsonrpc": "2.0", "id": its_id, "result": HELLO}
        return await stream(request, event(message)) if streamed else web.json_response(message)

    hostile.reply = another
    code, message = await failure(caller)
    assert (code, "another request" in message) == (-32012, True), message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"{", b'{"jsonrpc":"2.0","id":2}', b"\xff", b"[" * 10_000]
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_is_no_message(
    caller: Modern, hostile: Hostile, body: bytes, streamed: bool
) -> None:
    async def junk(request: web.Request, _: Any) -> web.StreamResponse:
        if streamed:
            return await stream(request, b"data: %s\n\n" % (body or b"x"))
        return web.Response(body=body, content_type="application/json")

    hostile.reply = junk
    assert (await failure(caller))[0] == -32012


@pytest.mark.parametrize("result", [[], 7, None, "text"])
async def test_a_result_that_is_no_object(caller: Modern, hostile: Hostile, result: Any) -> None:
    async def no_object(_: web.Request, body: Any) -> web.StreamResponse:
        return answer(body, result)

    hostile.reply = no_object
    assert (await failure(caller))[0] == -32012


async def test_a_result_that_says_it_asks_asks_nothing(caller: Modern, hostile: Hostile) -> None:
    async def forged(_: web.Request, body: Any) -> web.StreamResponse:
        questions = {"q": {"method": "roots/list"}}
        return answer(body, {"resultType": "input_required", "inputRequests": questions, **HELLO})

    hostile.reply = forged
    assert (await caller.call("x"))["resultType"] == "complete"


async def test_a_gigabyte_is_not_read(caller: Modern, hostile: Hostile) -> None:
    sent = 0

    async def endless(request: web.Request, _: Any) -> web.StreamResponse:
        nonlocal sent
        answered = web.StreamResponse(headers={"content-type": kind})
        await answered.prepare(request)
        await answered.write(b"data: ")
        while sent < 1 << 30:
            await answered.write(b"x" * 65_536)
            sent += 65_536
        return answered

    hostile.reply = endless
    before = memory()
    for kind in ("text/event-stream", "application/json"):  # noqa: B007 - the server sends it
        sent = 0
        code, message = await failure(caller)
        assert (code, "too long" in message or "longer than" in message) == (-32010, True), message
        assert sent < 64 << 20
    assert memory() - before < 32 * 1024


async def test_an_endless_stream_of_comments_is_the_callers_to_leave(
    caller: Modern, hostile: Hostile
) -> None:
    async def comments(request: web.Request, _: Any) -> web.StreamResponse:
        answered = await stream(request)
        while True:
            await answered.write(b":\n\n")
            await asyncio.sleep(0.01)

    hostile.reply = comments
    async with caller.streaming("tools/call", CALL):
        pass
    async with asyncio.timeout(5):
        await hostile.left.wait()


async def test_a_server_that_is_silent_is_not_waited_for(caller: Modern, hostile: Hostile) -> None:
    async def silent(request: web.Request, _: Any) -> web.StreamResponse:
        answered = await stream(request, b":\n\n")
        await asyncio.sleep(60)
        return answered

    hostile.reply = silent
    said = messages_of(await caller.ask("tools/call", CALL))
    assert [message["error"]["code"] for message in said] == [-32011]


@pytest.mark.parametrize(("status", "code"), [(400, b"-1"), (404, b"-32010")])
async def test_a_refusal_that_is_made_to_cost_costs_nothing(
    caller: Modern, hostile: Hostile, start_gateway: StartGateway, status: int, code: bytes
) -> None:
    lists = b"[],[]," * 600_000

    async def refuse(_: web.Request, body: Any) -> web.StreamResponse:
        error = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-1,"data":[%s[]]}}' % (body["id"], lists)
        return web.Response(status=status, body=error, content_type="application/json")

    hostile.reply = refuse
    large = Modern(await start_gateway(servers={"s": {"url": hostile.url}}), ALL)
    before = memory()
    answered = await large.ask("tools/call", CALL)  # whose JSON is not read here: that does cost
    assert b'"error":{"code":%s' % code in answered.content[:100]
    assert memory() - before < 48 * 1024


async def test_who_does_not_read_makes_the_server_wait(caller: Modern, hostile: Hostile) -> None:
    sent = 0

    async def flood(request: web.Request, body: Any) -> web.StreamResponse:
        nonlocal sent
        token = body["params"]["_meta"]["progressToken"]
        params = {"progressToken": token, "progress": 1, "message": "x" * 1000}
        told = event({"method": "notifications/progress", "params": params})
        answered = await stream(request)
        for _ in range(200_000):
            await answered.write(told)
            sent += 1
        return answered

    hostile.reply = flood
    before = memory()
    async with caller.streaming("tools/call", CALL, progressToken=1):
        last = -1
        while sent != last:
            last = sent
            await asyncio.sleep(0.3)
    assert 0 < sent < 100_000
    assert memory() - before < 64 * 1024
    assert text_of(await _healthy(caller, hostile)) == "hello"


async def test_a_flood_that_nobody_listens_to_is_dropped(caller: Modern, hostile: Hostile) -> None:
    flooded = asyncio.Event()

    async def flood(request: web.Request, _: Any) -> web.StreamResponse:
        answered = await stream(request)
        for number in range(20_000):
            await answered.write(event({"method": "notifications/message", "params": {"data": number}}))
        flooded.set()
        await asyncio.sleep(60)
        return answered

    hostile.listen = flood
    before = memory()
    assert text_of(await caller.call("x")) == "hello"
    async with asyncio.timeout(20):
        await flooded.wait()
    assert memory() - before < 16 * 1024


@pytest.mark.parametrize("method", ["ping", "tools/list", "elicitation/complete"])
async def test_a_flood_of_requests_is_answered_by_few_messages_at_once(
    caller: Modern, hostile: Hostile, method: str
) -> None:
    async def flood(request: web.Request, body: Any) -> web.StreamResponse:
        asked = [event({"id": number, "method": method, "params": {}}) for number in range(5000)]
        return await stream(request, b"".join(asked), event({"id": body["id"], "result": HELLO}))

    hostile.reply = flood
    assert text_of(await caller.call("x")) == "hello"
    assert 0 < hostile.most_at_once <= 16


async def test_a_flood_of_questions_is_asked_one_after_the_other(caller: Modern, hostile: Hostile) -> None:
    async def flood(request: web.Request, body: Any) -> web.StreamResponse:
        asked = [event({"id": number, "method": "roots/list"}) for number in range(5000)]
        return await stream(request, b"".join(asked), event({"id": body["id"], "result": HELLO}))

    hostile.reply = flood
    result = await caller.call("x")
    for number in range(5):
        assert len(result["inputRequests"]) == 1
        said = dict.fromkeys(result["inputRequests"], NO_FOLDERS)
        result = (await caller.again("x", result, said))["result"]
        assert hostile.said[-1] == {"jsonrpc": "2.0", "id": number, "result": NO_FOLDERS}


async def test_an_answer_that_was_refused_for_its_credential_can_be_given_again(
    caller: Modern, hostile: Hostile
) -> None:
    async def ask(request: web.Request, body: Any) -> web.StreamResponse:
        asking = await stream(request, event({"id": "q", "method": "roots/list"}))
        await hostile.answered.wait()
        await asking.write(event({"id": body["id"], "result": HELLO}))
        return asking

    hostile.reply, hostile.refuses_answers = ask, True
    asked = await caller.call("x")
    said = dict.fromkeys(asked["inputRequests"], NO_FOLDERS)
    assert (await caller.again("x", asked, said))["error"]["code"] == -32014
    hostile.refuses_answers = False
    assert text_of((await caller.again("x", asked, said))["result"]) == "hello"


async def test_a_call_that_is_gone_on_with_twice_at_once_goes_on_once(
    caller: Modern, hostile: Hostile
) -> None:
    async def ask(request: web.Request, body: Any) -> web.StreamResponse:
        asking = await stream(request, event({"id": "q", "method": "roots/list"}))
        await hostile.answered.wait()
        await asyncio.sleep(0.1)
        await asking.write(event({"id": body["id"], "result": HELLO}))
        return asking

    hostile.reply = ask
    asked = await caller.call("x")
    said = dict.fromkeys(asked["inputRequests"], NO_FOLDERS)
    answers = await asyncio.gather(*(caller.again("x", asked, said) for _ in range(3)))
    results = [answer["result"] for answer in answers if "result" in answer]
    refusals = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert [text_of(result) for result in results] == ["hello"]
    assert refusals == [-32602, -32602]
    assert len(hostile.said) == 1


async def test_the_id_of_a_question_has_an_end(caller: Modern, hostile: Hostile) -> None:
    async def long(request: web.Request, body: Any) -> web.StreamResponse:
        asked = event({"id": "x" * 50_000, "method": "roots/list"})
        return await stream(request, asked, event({"id": body["id"], "result": HELLO}))

    hostile.reply = long
    assert text_of(await caller.call("x")) == "hello"
    assert hostile.said == []


async def test_a_server_that_is_restarted_in_mid_call_costs_that_call_alone(
    caller: Modern, hostile: Hostile
) -> None:
    async def breaks_off(request: web.Request, _: Any) -> web.StreamResponse:
        answered = await stream(request, b":\n\n")
        assert request.transport is not None
        request.transport.close()
        return answered

    hostile.reply = breaks_off
    said = messages_of(await caller.ask("tools/call", CALL))
    assert [message["error"]["code"] for message in said] == [-32010]
    assert text_of(await _healthy(caller, hostile)) == "hello"


async def test_a_stream_that_goes_on_for_ever_without_news_is_given_up(
    caller: Modern, hostile: Hostile
) -> None:
    resumed = 0

    async def ends(request: web.Request, _: Any) -> web.StreamResponse:
        return await stream(request, b"retry: 0\nid: 7\ndata:\n\n")

    async def nothing(request: web.Request, _: Any) -> web.StreamResponse:
        nonlocal resumed
        if "last-event-id" not in request.headers:
            return web.Response(status=405)
        resumed += 1
        return await stream(request, b"id: 7\ndata:\n\n")

    hostile.reply, hostile.listen = ends, nothing
    assert (await failure(caller))[0] == -32010
    assert 0 < resumed <= 3


async def test_who_listens_is_told_when_their_credential_is_refused_and_calls_go_on(
    caller: Modern, hostile: Hostile
) -> None:
    async def once(request: web.Request, _: Any) -> web.StreamResponse:
        hostile.listen = refused
        return await stream(request, b"retry: 100\ndata:\n\n")

    async def refused(_: web.Request, _body: Any) -> web.StreamResponse:
        return web.Response(status=401)

    hostile.listen = once
    hostile.agreed = {**AGREED, "capabilities": {"tools": {}}}
    params = {"notifications": {"toolsListChanged": True}}
    first, last = messages_of(await caller.ask("subscriptions/listen", params))
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert (last["error"]["code"], "credential" in last["error"]["message"]) == (-32010, True)
    assert text_of(await caller.call("x")) == "hello"


async def test_whoever_leaves_before_the_server_lets_them_listen_leaves_nothing_behind(
    caller: Modern, hostile: Hostile
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request, _body: Any) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return web.Response(status=405)

    hostile.listen = slow
    hostile.agreed = {**AGREED, "capabilities": {"tools": {}}}
    params = {"notifications": {"toolsListChanged": True}}
    leaving = [asyncio.create_task(caller.ask("subscriptions/listen", params)) for _ in range(16)]
    await asked.wait()
    await asyncio.sleep(0.1)
    for one in leaving:
        one.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    go_on.set()
    for _ in range(2):
        async with caller.streaming("subscriptions/listen", params) as told:
            assert (await anext(told))["method"] == "notifications/subscriptions/acknowledged"


async def test_a_redirect_is_not_followed(caller: Modern, hostile: Hostile) -> None:
    async def elsewhere(_: web.Request, _body: Any) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": "http://127.0.0.1:1/stolen"})

    hostile.reply = elsewhere
    code, message = await failure(caller)
    assert (code, "/stolen" in message) == (-32012, True)


async def test_ten_thousand_clients_of_one_caller_have_few_sessions(caller: Modern, hostile: Hostile) -> None:
    for number in range(200):
        info = {"name": f"client-{number}", "version": "1"}
        await caller.ask("tools/call", CALL, **{"io.modelcontextprotocol/clientInfo": info})
    begun = [message for message in hostile.seen if message.get("method") == "initialize"]
    assert len(begun) == 200
    assert hostile.ended >= 200 - 32


async def test_other_servers_stay_up(hostile: Hostile, old: OldServer, start_gateway: StartGateway) -> None:
    async def silent(_: web.Request, _body: Any) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    hostile.reply = silent
    gateway = await start_gateway(
        servers={"bad": {"url": hostile.url, "timeout": "5s"}, "good": {"url": old.url}}
    )
    modern = Modern(gateway, path="/mcp")
    waiting = asyncio.create_task(modern.call("bad_x"))
    assert text_of(await modern.call("good_add", a=1, b=1)) == "2"
    waiting.cancel()


async def _healthy(caller: Modern, hostile: Hostile) -> Any:
    hostile.reply = hello
    return await caller.call("x")
