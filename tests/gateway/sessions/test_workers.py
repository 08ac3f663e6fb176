"""Two workers, and clients whose connections come to either: what one has in memory, the other asks for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.gateway.conftest import Caller
from tests.gateway.legacy.conftest import Modern
from tests.gateway.sessions.conftest import RawClient, Workshop
from tests.gateway.sessions.test_http_sse import INITIALIZE, channel
from tests.loopback import TRUSTING_NOBODY

from ostiary.cli.running import listener_for_workers
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind
from ostiary.transport.workers import WORD_HEADER, Worker

ADA = {"action": "accept", "content": {"name": "Ada"}}
ABLE: dict[str, Any] = {"elicitation": {"form": {}}}


@dataclass
class Workers:
    """Both, and who calls each."""

    first: Caller
    second: Caller
    workers: list[Worker]
    ends: list[AsyncExitStack]

    async def end_first(self) -> None:
        """As if it had crashed."""
        await self.ends[0].aclose()

    def elsewhere(self, client: RawClient) -> RawClient:
        """The same client, whose connection came to the other one."""
        return RawClient(self.second, client.session, client.path)


@pytest.fixture
async def workers(workshop: Workshop) -> AsyncIterator[Workers]:
    own = [bind(Listen("127.0.0.1", 0)) for _ in range(2)]
    addresses, secret = tuple(map(address_of, own)), os.urandom(32)
    made = [Worker(index, addresses, sock, secret) for index, sock in enumerate(own)]
    async with AsyncExitStack() as running:
        callers, ends = [], []
        for worker in made:
            end = await running.enter_async_context(AsyncExitStack())
            ends.append(end)
            sock = bind(Listen("127.0.0.1", 0))
            settings = {"listen": str(address_of(sock)), "allow_unauthenticated": True, "http_sse": True}
            settings["servers"] = {"w": {"url": workshop.url}}
            gateway = Gateway(GatewaySettings.model_validate(settings), worker=worker)
            await end.enter_async_context(gateway)
            listeners = [*gateway.listeners(), listener_for_workers(None, gateway, worker)]
            sockets = {"gateway.listen": sock, "worker": worker.own}
            await end.enter_async_context(answering(listeners, sockets))
            client = httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY)
            callers.append(Caller(await running.enter_async_context(client), f"http://{settings['listen']}"))
        yield Workers(callers[0], callers[1], made, ends)


@pytest.fixture
async def client(workers: Workers) -> RawClient:
    """A session that began at the first."""
    client = RawClient(workers.first)
    assert (await client.initialize(capabilities=ABLE)).status_code == 200
    return client


async def test_a_session_goes_on_wherever_its_next_request_comes(workers: Workers, client: RawClient) -> None:
    elsewhere = workers.elsewhere(client)
    answered = await elsewhere.post("tools/call", {"name": "w_add", "arguments": {"one": 1, "two": 2}})
    assert answered.json()["result"]["structuredContent"] == {"result": 3}
    assert (await elsewhere.post("notifications/initialized", message_id=None)).status_code == 202
    assert (await elsewhere.post("nonsense")).json()["error"]["code"] == -32601


async def test_an_answer_to_a_question_comes_to_the_other_worker(workers: Workers, client: RawClient) -> None:
    async with client.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        said = {"jsonrpc": "2.0", "id": question["id"], "result": ADA}
        assert (await workers.elsewhere(client).send(said)).status_code == 202
        assert (await events.next())["result"]["content"][0]["text"] == "Hello Ada"


async def test_a_call_at_the_other_worker_asks_and_is_cancelled_there(
    workers: Workers, client: RawClient, workshop: Workshop
) -> None:
    elsewhere = workers.elsewhere(client)
    async with elsewhere.streaming("tools/call", {"name": "w_greet"}) as events:
        question = await events.next()
        await client.send({"jsonrpc": "2.0", "id": question["id"], "result": ADA})
        assert (await events.next())["result"]["content"][0]["text"] == "Hello Ada"
    hanging = asyncio.create_task(elsewhere.post("tools/call", {"name": "w_hang"}, 7))
    await asyncio.wait_for(workshop.begun.wait(), 5)
    await client.post("notifications/cancelled", {"requestId": 7}, None)
    await asyncio.wait_for(workshop.cancelled.wait(), 5)
    await hanging


async def test_what_is_subscribed_to_at_one_worker_is_heard_at_the_other(
    workers: Workers,
) -> None:
    client = RawClient(workers.first, path="/servers/w/mcp")
    await client.initialize()
    elsewhere = workers.elsewhere(client)
    async with elsewhere.listening() as events:
        assert (await client.post("resources/subscribe", {"uri": "note://one"})).json()["result"] == {}
        assert (await elsewhere.post("tools/call", {"name": "change"}, 9)).status_code == 200
        assert [(await events.next())["method"], (await events.next())["method"]] == [
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        ]


async def test_a_session_that_was_ended_at_one_worker_is_over_at_both(
    workers: Workers, client: RawClient
) -> None:
    elsewhere = workers.elsewhere(client)
    assert (await elsewhere.delete()).status_code == 200
    assert (await client.post("ping")).status_code == 404
    assert (await elsewhere.post("ping")).status_code == 404


async def test_a_session_whose_worker_has_ended_is_over(workers: Workers, client: RawClient) -> None:
    await workers.end_first()
    elsewhere = workers.elsewhere(client)
    assert (await elsewhere.post("ping")).status_code == 404
    assert (await elsewhere.initialize()).status_code == 200
    assert (await elsewhere.post("ping")).status_code == 200


async def test_what_is_posted_to_the_other_worker_is_answered_on_the_stream(workers: Workers) -> None:
    async with channel(workers.first) as old:
        old.caller = workers.second
        assert (await old.say("initialize", INITIALIZE)).status_code == 202
        assert (await old.events.next())["result"]["protocolVersion"] == "2024-11-05"
        await old.say("tools/call", {"name": "w_add", "arguments": {"one": 1, "two": 2}}, 2)
        assert (await old.events.next())["result"]["structuredContent"] == {"result": 3}
    assert (await workers.second.post(b"{}", path="/mcp/sse?session_id=zz")).status_code == 404


@pytest.mark.parametrize("era", ["legacy"])
async def test_a_call_that_waits_at_one_worker_goes_on_from_the_other(workers: Workers, era: str) -> None:
    asker = Modern(workers.first, ABLE, "/servers/w/mcp")
    asked = await asker.call("greet_in_a_session")
    assert asked["resultType"] == "input_required"
    asker.caller = workers.second
    answer = await asker.again("greet_in_a_session", asked, dict.fromkeys(asked["inputRequests"], ADA))
    assert answer["result"]["content"][0]["text"] == "Hello Ada"


async def test_who_is_no_worker_is_told_that_nothing_is_there(workers: Workers, client: RawClient) -> None:
    private = Caller(workers.first.http, f"http://{workers.workers[0].addresses[0]}")
    for word in ("", "0" * 64):
        headers = [(WORD_HEADER.decode(), word), *client.headers] if word else client.headers
        answered = await private.post(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', headers)
        assert (answered.status_code, answered.text) == (404, "nothing is here\n")
        assert (await private.http.get(f"{private.origin}/metrics")).status_code == 404
