"""What a server asks a legacy client on the way to its answer: forged, late and missing answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.conftest import result
from tests.gateway.sessions.conftest import RawClient

from ostiary.gateway.sessions import asking

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway
    from tests.gateway.sessions.conftest import Workshop

ELICITATION: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}
ACCEPTED = {"action": "accept", "content": {"name": "Eve"}}
PAGE = {
    "method": "elicitation/create",
    "params": {"mode": "url", "message": "Open it", "url": "https://page.example/1"},
}


@pytest.fixture
async def asked(raw: RawClient) -> RawClient:
    """A client that can be asked."""
    await raw.initialize(capabilities=ELICITATION)
    return raw


async def test_a_question_comes_on_the_stream_and_its_answer_goes_by_another_post(asked: RawClient) -> None:
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        assert (question["method"], question["params"]["message"]) == (
            "elicitation/create",
            "What is your name?",
        )
        answered = await asked.send({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED})
        assert (answered.status_code, answered.content) == (202, b"")
        answer = await events.next()
        assert answer["id"] == 1
        assert answer["result"]["content"][0]["text"] == "Hello Eve"
        assert await events.next() is None


async def test_an_answer_of_another_session_is_not_heard(asked: RawClient, gateway: Caller) -> None:
    stranger = RawClient(gateway)
    await stranger.initialize(capabilities=ELICITATION)
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        forged = {"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED}
        assert (await stranger.send(forged)).status_code == 202
        mine = {"action": "accept", "content": {"name": "Ada"}}
        await asked.send({"jsonrpc": "2.0", "id": question["id"], "result": mine})
        assert (await events.next())["result"]["content"][0]["text"] == "Hello Ada"


@pytest.mark.parametrize("message_id", ["never", 7, None, [], {"a": 1}, "x" * 100_000])
async def test_an_answer_to_what_was_never_asked_is_dropped(asked: RawClient, message_id: Any) -> None:
    answers: list[Any] = [{"result": {}}, {"error": {"code": 1, "message": "no"}}, {"result": 7}]
    for answer in answers:
        assert (await asked.send({"jsonrpc": "2.0", "id": message_id, **answer})).status_code == 202
    assert (await asked.post("ping")).status_code == 200


async def test_an_answer_that_comes_twice_counts_once(asked: RawClient) -> None:
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        first = {"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED}
        other = {"action": "accept", "content": {"name": "Mallory"}}
        await asked.send(first)
        await asked.send({"jsonrpc": "2.0", "id": question["id"], "result": other})
        assert (await events.next())["result"]["content"][0]["text"] == "Hello Eve"


async def test_an_error_of_the_client_ends_the_call(asked: RawClient) -> None:
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        error = {"code": -32000, "message": "no model here"}
        await asked.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        assert (await events.next())["error"] == {
            "code": -32017,
            "message": "your client answered elicitation/create with an error",
        }


async def test_a_client_that_never_answers_is_told_so_in_the_end(
    asked: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(asking, "KEEP_ALIVE_SECONDS", 0.05)
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        assert (await events.next())["error"]["code"] == -32017
        late = {"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED}
        assert (await asked.send(late)).status_code == 202


async def test_a_client_that_leaves_while_it_is_asked_leaves_nothing(
    asked: RawClient, gateway: Caller
) -> None:
    for number in range(5):
        async with asked.streaming("tools/call", {"name": "w_greet"}, number) as events:
            await events.next()
    assert (await asked.post("ping")).status_code == 200


async def test_a_client_is_not_asked_what_it_does_not_offer(raw: RawClient) -> None:
    await raw.initialize(capabilities={"sampling": {}})
    answered = await raw.post("tools/call", {"name": "w_greet"})
    assert (answered.status_code, answered.json()["error"]["code"]) == (200, -32021)


async def test_calls_that_wait_for_clients_are_bounded_for_each_caller(asked: RawClient) -> None:
    long = {"name": "w_greet", "arguments": {"padding": "x" * 3_000_000}}
    async with (
        asked.streaming("tools/call", long, 1) as one,
        asked.streaming("tools/call", long, 2) as two,
        asked.streaming("tools/call", long, 3) as three,
    ):
        assert "method" in await one.next()
        assert "method" in await two.next()
        assert (await three.next())["error"]["code"] == -32015


async def test_what_is_taken_back_while_the_client_is_asked_ends_without_an_answer(
    asked: RawClient,
) -> None:
    async with asked.streaming("tools/call", {"name": "w_greet"}, "seven") as events:
        question = await events.next()
        cancelled = {"requestId": "seven", "reason": "no more"}
        await asked.post("notifications/cancelled", cancelled, message_id=None)
        assert await events.next() is None
        late = {"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED}
        assert (await asked.send(late)).status_code == 202


async def test_another_session_takes_nothing_back(asked: RawClient, gateway: Caller) -> None:
    stranger = RawClient(gateway)
    await stranger.initialize(capabilities=ELICITATION)
    async with asked.streaming("tools/call", {"name": "w_greet"}, "seven") as events:
        question = await events.next()
        await stranger.post("notifications/cancelled", {"requestId": "seven"}, message_id=None)
        await asked.send({"jsonrpc": "2.0", "id": question["id"], "result": ACCEPTED})
        assert (await events.next())["result"]["content"][0]["text"] == "Hello Eve"


async def test_the_end_of_a_session_ends_what_is_under_way(asked: RawClient) -> None:
    async with asked.streaming("tools/call", {"name": "w_greet"}) as events:
        await events.next()
        assert (await asked.delete()).status_code == 200
        assert await events.next() is None


async def test_a_request_without_an_answer_is_taken_back(asked: RawClient, workshop: Workshop) -> None:
    calling = asyncio.create_task(asked.post("tools/call", {"name": "w_hang"}, message_id=42))
    await workshop.begun.wait()
    await asked.post("notifications/cancelled", {"requestId": 42}, message_id=None)
    answered = await calling
    assert (answered.status_code, answered.content) == (202, b"")
    await workshop.cancelled.wait()


# servers that ask what they like


@pytest.fixture
async def before(start_gateway: StartGateway, server: McpServer) -> RawClient:
    """Before a gateway with a server that answers what the test says."""
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}))
    await raw.initialize(capabilities=ELICITATION)
    await raw.post("tools/list")  # by now it is known that this server shakes no hands
    return raw


def asks(questions: dict[str, Any], state: str = "s1") -> dict[str, Any]:
    return {"resultType": "input_required", "inputRequests": questions, "requestState": state}


async def test_a_person_is_asked_once_to_open_a_page_and_the_call_waits_for_it(
    before: RawClient, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "FIRST_PAUSE", 0.01)
    calls = []

    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        calls.append(seen.body["params"].get("inputResponses"))
        done = {"resultType": "complete", "content": []}
        return result(seen, done if len(calls) == 4 else asks({"page": PAGE}))

    server.reply = reply
    async with before.streaming("tools/call", {"name": "s_get"}) as events:
        question = await events.next()
        assert question["params"] == {**PAGE["params"], "elicitationId": question["id"]}  # type: ignore[dict-item]
        await before.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}})
        told = await events.next()
        assert told["method"] == "notifications/elicitation/complete"
        assert told["params"] == {"elicitationId": question["id"]}
        assert (await events.next())["result"] == {"content": []}
    assert calls == [None, *[{"page": {"action": "accept"}}] * 3]


async def test_a_server_that_asks_for_ever_is_given_up(before: RawClient, server: McpServer) -> None:
    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        return result(seen, asks({}))

    server.reply = reply
    async with before.streaming("tools/call", {"name": "s_get"}) as events:
        error = (await events.next())["error"]
    assert error["code"] == -32012
    assert len(server.seen) < 50


@pytest.mark.parametrize(
    "questions",
    [
        {"a": {"method": "tools/call", "params": {}}},
        {"a": {"method": 7}},
        {"a": "elicitation/create"},
        {"a": {"method": "roots/list", "params": []}},
        {str(number): {"method": "roots/list"} for number in range(100)},
    ],
)
async def test_a_question_that_is_none_is_the_servers_fault(
    before: RawClient, server: McpServer, questions: Any
) -> None:
    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        return result(seen, asks(questions))

    server.reply = reply
    answered = await before.post("tools/call", {"name": "s_get"})
    assert (answered.status_code, answered.json()["error"]["code"]) == (200, -32012)


async def test_what_only_modern_requests_may_say_is_not_passed_on(
    before: RawClient, server: McpServer
) -> None:
    params = {
        "name": "s_get",
        "requestState": "forged",
        "inputResponses": {"a": {}},
        "_meta": {"progressToken": 5, "io.modelcontextprotocol/logLevel": "debug", "mine": 1},
    }
    await before.post("tools/call", params)
    sent = server.seen[-1].body["params"]
    assert sent.keys() == {"name", "_meta"}
    assert sent["_meta"] == {
        "progressToken": 5,
        "mine": 1,
        "io.modelcontextprotocol/logLevel": "info",
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": ELICITATION,
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    }
    assert server.seen[-1].header("mcp-session-id") is None


@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
async def test_an_error_of_the_gateway_is_one_that_clients_read(
    before: RawClient, server: McpServer, method: str
) -> None:
    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        return result(seen, {}, status=500)

    server.reply = reply
    answered = await before.post(method, {"name": "s_get"})
    assert (answered.status_code, answered.json()["error"]["code"]) == (200, -32012)
    unknown = await before.post("tools/call", {"name": "nobody_get"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (200, -32602)


async def test_tools_that_legacy_clients_cannot_read_cost_nobody_the_list(
    before: RawClient, server: McpServer
) -> None:
    tools = [
        {"name": "a", "inputSchema": {"type": "object"}},
        {"name": "b", "inputSchema": {"type": "array"}},
        {"name": "c", "inputSchema": {"properties": {}}},
        {"name": "d", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}},
    ]

    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        told: dict[str, Any] = (
            {"tools": tools} if seen.method == "tools/list" else {"capabilities": {"tools": {}}}
        )
        return result(seen, {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **told})

    server.reply = reply
    before.path, before.session = "/servers/s/mcp", ""
    await before.initialize()
    listed = (await before.post("tools/list")).json()["result"]["tools"]
    assert listed == [
        {"name": "a", "inputSchema": {"type": "object"}},
        {"name": "c", "inputSchema": {"type": "object", "properties": {}}},
        {"name": "d", "inputSchema": {"type": "object"}},
    ]


async def test_a_stream_of_the_server_that_breaks_off_is_an_error(
    before: RawClient, server: McpServer
) -> None:
    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b": hello\n\n")
        return answer

    server.reply = reply
    async with before.streaming("tools/call", {"name": "s_get"}) as events:
        assert (await events.next())["error"]["code"] == -32012
