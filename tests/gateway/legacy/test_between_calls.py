"""What an old server asks while no call is under way: its caller's next call brings it along."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import StartGateway
from tests.gateway.legacy.conftest import ALL, Modern, OldServer, text_of
from tests.gateway.legacy.test_programs import neighbour
from tests.gateway.programs import program
from tests.gateway.sessions.conftest import Person, legacy_client

ASKS = """
    noted = []

    def written(**members):
        return json.dumps({"jsonrpc": "2.0", **members}) + "\\n"

    def later(number):
        form = {"message": "Name %d?" % number, "requestedSchema": {"type": "object", "properties": {}}}
        return written(id="later-%d" % number, method="elicitation/create", params=form)

    def told(message, text):
        return written(id=message["id"], result={"content": [{"type": "text", "text": text}]})

    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params", {})
        said = ""
        if method == "initialize":
            result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}}
            said = written(id=message["id"], result={**result, "serverInfo": {"name": "old", "version": "1"}})
        elif method == "server/discover":
            said = written(id=message["id"], error={"code": -32601, "message": "Method not found"})
        elif method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("leave", "noted")]
            said = written(id=message["id"], result={"tools": tools})
        elif method == "tools/call" and params["name"] == "leave":
            wanted = params["arguments"]
            said = told(message, "left") + "".join(later(number) for number in range(wanted["times"]))
            if wanted.get("takes_back"):
                said += written(method="notifications/cancelled", params={"requestId": "later-0"})
        elif method == "tools/call":
            said = told(message, json.dumps(noted))
        elif method is None:
            noted.append(message)
        sys.stdout.write(said)
        sys.stdout.flush()
"""
"""Its tool `leave` asks after it has answered, and `noted` says what it was told."""
ADA = {"action": "accept", "content": {"name": "Ada"}}

Start = Callable[..., Any]


@pytest.fixture
def start(start_gateway: StartGateway, tmp_path: Path) -> Start:
    """Starts a gateway in front of the program, and gives a client that does all that it may ask for."""

    async def starting(**settings: Any) -> Modern:
        server = {"command": program(tmp_path, ASKS), "timeout": "5s", **settings}
        return Modern(await start_gateway(servers={"s": server}), ALL)

    return starting


def noted(result: Any) -> list[Any]:
    found: list[Any] = json.loads(text_of(result))
    return found


def refusals(result: Any) -> set[tuple[str, str]]:
    return {(one["id"], one["error"]["message"]) for one in noted(result)}


async def test_the_next_call_asks_it_and_then_goes_on(start: Start) -> None:
    able = await start()
    assert text_of(await able.call("leave", times=2)) == "left"
    asked = await able.call("noted")
    assert asked["resultType"] == "input_required"
    messages = {name: one["params"]["message"] for name, one in asked["inputRequests"].items()}
    assert messages == {"earlier-1": "Name 0?", "earlier-2": "Name 1?"}
    answered = await able.again("noted", asked, dict.fromkeys(messages, ADA))
    assert {one["id"]: one["result"] for one in noted(answered["result"])} == {"later-0": ADA, "later-1": ADA}


async def test_a_legacy_client_is_asked_in_its_next_call(start: Start) -> None:
    able = await start()
    person = Person()
    async with legacy_client(f"{able.caller.origin}/servers/s/mcp", person) as client:
        await client.call_tool("leave", {"times": 1})
        result = await client.call_tool("noted", {})
    assert [asked.message for asked in person.asked] == ["Name 0?"]
    assert noted(result.model_dump())[0]["result"]["content"] == {"name": "Ada"}


async def test_answers_that_are_missing_are_asked_for_once_more(start: Start) -> None:
    able = await start()
    await able.call("leave", times=2)
    asked = await able.call("noted")
    again = (await able.again("noted", asked, {"earlier-2": ADA}))["result"]
    assert again["inputRequests"].keys() == {"earlier-1"}
    assert len(noted((await able.again("noted", again, {"earlier-1": ADA}))["result"])) == 2


async def test_an_answer_is_used_once(start: Start) -> None:
    able = await start()
    await able.call("leave", times=1)
    asked = await able.call("noted")
    await able.again("noted", asked, {"earlier-1": ADA})
    refused = await able.again("noted", asked, {"earlier-1": ADA})
    assert "begin the call again" in refused["error"]["message"]


async def test_what_is_taken_back_is_not_asked(start: Start) -> None:
    able = await start()
    await able.call("leave", times=1, takes_back=True)
    assert noted(await able.call("noted")) == []


async def test_who_cannot_be_asked_is_not(start: Start) -> None:
    modern = Modern((await start()).caller)
    await modern.call("leave", times=1)
    said = "the client has not declared that it does elicitation/create"
    assert refusals(await modern.call("noted")) == {("later-0", said)}


async def test_questions_without_end_are_refused(start: Start) -> None:
    able = await start()
    await able.call("leave", times=100)
    asked = await able.call("noted")
    assert len(asked["inputRequests"]) == 4
    answered = await able.again("noted", asked, dict.fromkeys(asked["inputRequests"], ADA))
    refused = [one["error"]["message"] for one in noted(answered["result"]) if "error" in one]
    assert set(refused) == {"no call is under way of which this could be asked, and too much waits already"}


async def test_a_question_that_is_too_long_to_wait_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.between_calls.LONGEST", 10)
    able = await start()
    await able.call("leave", times=1)
    [(_, said)] = refusals(await able.call("noted"))
    assert said == "no call is under way of which this could be asked, and too much waits already"


async def test_a_question_waits_for_a_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.between_calls.HELD_SECONDS", 0)
    able = await start()
    await able.call("leave", times=1)
    said = "no call came of which this could be asked"
    assert refusals(await able.call("noted")) == {("later-0", said)}


async def test_a_person_who_does_not_come_back_is_waited_for_for_a_time(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.parked_calls.LIFETIME", 0)
    able = await start()
    await able.call("leave", times=1)
    asked = await able.call("noted")
    assert refusals(await able.call("noted")) == {("later-0", "nobody answered in time")}
    late = await able.again("noted", asked, {"earlier-1": ADA})
    assert "begin the call again" in late["error"]["message"]


async def test_another_caller_is_neither_asked_nor_answers(start: Start) -> None:
    able = await start()
    other = Modern(neighbour(able).caller, ALL)
    await able.call("leave", times=1)
    assert noted(await other.call("noted")) == []
    asked = await able.call("noted")
    refused = await other.again("noted", asked, {"earlier-1": ADA})
    assert refused["error"]["code"] == -32602
    answered = await able.again("noted", asked, {"earlier-1": ADA})
    assert noted(answered["result"])[0]["result"] == ADA
    await other.caller.http.aclose()


async def test_what_a_program_of_everybodys_asks_reaches_nobody(start: Start) -> None:
    able = await start(processes="shared")
    await able.call("leave", times=1)
    [(_, said)] = refusals(await able.call("noted"))
    assert "has not declared" in said


async def test_a_question_on_the_stream_of_what_comes_unasked_waits(able: Modern, old: OldServer) -> None:
    assert text_of(await able.call("ask_later")) == "later"
    old.go_on.set()
    async with asyncio.timeout(10):
        asked = await able.call("add", a=1, b=2)
        while asked["resultType"] != "input_required":
            asked = await able.call("add", a=1, b=2)
    ((name, question),) = asked["inputRequests"].items()
    assert question["params"]["message"] == "Name?"
    answered = await able.again("add", asked, {name: ADA}, a=1, b=2)
    assert text_of(answered["result"]) == "3"
    async with asyncio.timeout(10):
        assert old.later is not None
        assert await old.later == "accept {'name': 'Ada'}"
