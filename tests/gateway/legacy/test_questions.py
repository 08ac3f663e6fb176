"""What an old server asks while it works, asked of modern callers, who come back with the answers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from tests.gateway.conftest import VISITOR, StartGateway
from tests.gateway.legacy.conftest import ALL, Modern, OldServer, message_of, messages_of, text_of
from tests.gateway.test_acting_for_callers import visitors_token

from ostiary.cloudrun.emulator import Emulator

ADA = {"action": "accept", "content": {"name": "Ada"}}


async def test_a_question_ends_the_request_and_its_answer_goes_on_with_the_call(
    able: Modern, old: OldServer
) -> None:
    asked = await able.call("ask")
    assert asked["resultType"] == "input_required"
    ((name, question),) = asked["inputRequests"].items()
    assert question["method"] == "elicitation/create"
    assert question["params"]["message"] == "Name 1?"
    assert question["params"]["mode"] == "form"
    answer = await able.again("ask", asked, {name: ADA})
    assert (answer["id"], text_of(answer["result"])) == (2, "Ada")
    assert answer["result"]["resultType"] == "complete"
    assert old.methods.count("tools/call") == 1


async def test_a_call_may_ask_as_often_as_it_likes(able: Modern) -> None:
    result, names = await able.call("ask", times=3), []
    while result["resultType"] == "input_required":
        ((name, question),) = result["inputRequests"].items()
        names.append(name)
        said = {"action": "accept", "content": {"name": question["params"]["message"][:6]}}
        result = (await able.again("ask", result, {name: said}, times=3))["result"]
    assert text_of(result) == "Name 1, Name 2, Name 3"
    assert len(set(names)) == 3


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_may_decline(able: Modern, action: str) -> None:
    asked = await able.call("ask")
    answer = await able.again("ask", asked, {name: {"action": action} for name in asked["inputRequests"]})
    assert text_of(answer["result"]) == action


async def test_a_model_and_folders_are_asked_for_likewise(able: Modern) -> None:
    asked = await able.call("sample")
    ((name, question),) = asked["inputRequests"].items()
    assert (question["method"], question["params"]["maxTokens"]) == ("sampling/createMessage", 10)
    said: dict[str, Any] = {"role": "assistant", "content": {"type": "text", "text": "Hello!"}, "model": "m"}
    assert text_of((await able.again("sample", asked, {name: said}))["result"]) == "Hello!"

    asked = await able.call("roots")
    ((name, question),) = asked["inputRequests"].items()
    assert question["method"] == "roots/list"
    folders = {"roots": [{"uri": "file:///work"}]}
    assert text_of((await able.again("roots", asked, {name: folders}))["result"]) == "file:///work"


async def test_a_page_is_asked_for_without_what_only_old_clients_know(able: Modern) -> None:
    asked = await able.call("page")
    ((name, question),) = asked["inputRequests"].items()
    assert question["params"] == {"mode": "url", "message": "Open it", "url": "https://pages.example/1"}
    assert text_of((await able.again("page", asked, {name: {"action": "accept"}}))["result"]) == "accept"


async def test_an_error_that_wants_a_page_opened_first_is_a_question(able: Modern, old: OldServer) -> None:
    asked = await able.call("page_first")
    ((name, question),) = asked["inputRequests"].items()
    assert question["params"]["url"] == "https://pages.example/2"
    old.opened = True
    answer = await able.again("page_first", asked, {name: {"action": "accept"}})
    assert text_of(answer["result"]) == "opened"


async def test_who_will_not_open_it_gets_the_error(able: Modern) -> None:
    asked = await able.call("page_first")
    said = {name: {"action": "decline"} for name in asked["inputRequests"]}
    refused = await able.again("page_first", asked, said)
    assert refused["error"]["code"] == -32042


async def test_a_question_on_the_stream_of_what_comes_unasked_is_of_the_call_under_way(able: Modern) -> None:
    asked = await able.call("ask_elsewhere")
    ((name, _),) = asked["inputRequests"].items()
    answer = await able.again("ask_elsewhere", asked, {name: ADA})
    assert text_of(answer["result"]) == "accept {'name': 'Ada'}"


async def test_who_cannot_be_asked_is_not(modern: Modern, old: OldServer) -> None:
    refused = message_of(await modern.ask("tools/call", {"name": "ask", "arguments": {}}))
    assert "has not declared" in refused["error"]["message"]
    assert not any("result" in message for message in old.seen)


async def test_answers_that_are_missing_are_asked_for_once_more(able: Modern) -> None:
    asked = await able.call("ask")
    again = (await able.again("ask", asked, {}))["result"]
    assert again["inputRequests"] == asked["inputRequests"]
    ((name, _),) = again["inputRequests"].items()
    assert text_of((await able.again("ask", again, {name: ADA}))["result"]) == "Ada"


async def test_a_question_after_progress_ends_the_stream(able: Modern) -> None:
    asked = await able.call("ask", times=2)
    ((name, _),) = asked["inputRequests"].items()
    params = {
        "name": "ask",
        "arguments": {"times": 2},
        "inputResponses": {name: ADA},
        "requestState": asked["requestState"],
    }
    answered = await able.ask("tools/call", params, 7, progressToken="p")
    assert messages_of(answered)[-1]["result"]["resultType"] == "input_required"


async def test_an_answer_is_used_once(able: Modern) -> None:
    asked = await able.call("ask")
    said = dict.fromkeys(asked["inputRequests"], ADA)
    assert text_of((await able.again("ask", asked, said))["result"]) == "Ada"
    again = await able.again("ask", asked, said)
    assert again["error"]["code"] == -32602
    assert "begin the call again" in again["error"]["message"]


async def test_a_call_with_other_arguments_gets_no_answer_of_it(able: Modern) -> None:
    asked = await able.call("ask")
    stolen = await able.again("ask", asked, dict.fromkeys(asked["inputRequests"], ADA), times=2)
    assert stolen["error"]["code"] == -32602


async def test_each_account_has_a_session_of_its_own_and_no_other_goes_on_with_its_calls(
    old: OldServer, start_gateway: StartGateway, google: Emulator
) -> None:
    url = "https://mcp.example.com"
    caller = await start_gateway(
        url=url,
        inbound=[{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}],
        servers={"s": {"url": old.url}},
    )
    caller.http.headers["host"] = "mcp.example.com"
    ada, eve = [await visitors_token(google, f"{url}/mcp", subject) for subject in ("1", "2")]
    able = Modern(caller, ALL)
    caller.token = ada
    asked = await able.call("ask")
    said = dict.fromkeys(asked["inputRequests"], ADA)
    caller.token = eve
    assert (await able.again("ask", asked, said))["error"]["code"] == -32602
    assert text_of(await able.call("add", a=1, b=1)) == "2"
    caller.token = ada
    assert text_of((await able.again("ask", asked, said))["result"]) == "Ada"
    assert old.methods.count("initialize") == 2


async def test_two_calls_wait_apart(able: Modern) -> None:
    first, second = await able.call("ask"), await able.call("ask", 5)
    for asked, name in ((second, "Eve"), (first, "Ada")):
        said = {"action": "accept", "content": {"name": name}}
        answer = await able.again("ask", asked, dict.fromkeys(asked["inputRequests"], said))
        assert text_of(answer["result"]) == name


async def test_no_more_wait_than_is_right(able: Modern, old: OldServer) -> None:
    ask = partial(able.ask, "tools/call", {"name": "ask", "arguments": {}})
    *asked, refused = [message_of(await ask()) for _ in range(17)]
    assert {one["result"]["resultType"] for one in asked} == {"input_required"}
    assert "try again later" in refused["error"]["message"]


async def test_who_never_comes_back_is_waited_for_for_a_time(
    able: Modern, old: OldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.parked_calls.LIFETIME", 0.2)
    asked = await able.call("ask")
    async with asyncio.timeout(5):
        await old.heard("notifications/cancelled")
    late = await able.again("ask", asked, dict.fromkeys(asked["inputRequests"], ADA))
    assert "begin the call again" in late["error"]["message"]
