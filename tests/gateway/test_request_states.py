"""What a server wants to hear again comes back from whom it asked, in the call it asked in, or not at all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import VISITOR, Clock, Seen, result
from tests.gateway.test_streams import begin, event, whole

from ostiary.gateway.seals import SealBroken, Seals
from ostiary.storage.config import StorageSettings

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import Caller, McpServer, StartGateway

    from ostiary.cloudrun.emulator import Emulator

QUESTION = {"method": "elicitation/create", "params": {"mode": "form", "message": "Sure?"}}
ASKING = {"resultType": "input_required", "inputRequests": {"q": QUESTION}, "requestState": "step one"}
ANSWERS = {"inputResponses": {"q": {"action": "accept", "content": {}}}}
ARGUMENTS: dict[str, Any] = {"name": "s_feed", "arguments": {"animal": "otter", "food": "fish"}}


async def asks_once(seen: Seen, _request: web.Request) -> web.StreamResponse:
    """A tool that asks, and is content with any answer."""
    params = seen.body["params"]
    return result(seen, {"resultType": "complete", "heard": params} if "inputResponses" in params else ASKING)


async def asks_in_a_stream(seen: Seen, request: web.Request) -> web.StreamResponse:
    answer = await begin(request)
    await answer.write(event(whole(seen, ASKING)))
    return answer


async def state_of(caller: Caller, **others: Any) -> str:
    answered = (await caller.ask("tools/call", {**ARGUMENTS, **others})).json()
    return str(answered["result"]["requestState"])


async def again(caller: Caller, state: str, **others: Any) -> Any:
    return (await caller.ask("tools/call", {**ARGUMENTS, **ANSWERS, "requestState": state, **others})).json()


async def test_a_server_hears_its_own_state_again(caller: Caller, server: McpServer) -> None:
    server.reply = asks_once
    state = await state_of(caller)
    assert "step one" not in state
    heard = (await again(caller, state))["result"]["heard"]
    assert (heard["requestState"], heard["name"]) == ("step one", "feed")
    assert heard["inputResponses"] == ANSWERS["inputResponses"]


async def test_a_state_out_of_a_stream_is_sealed_too(caller: Caller, server: McpServer) -> None:
    server.reply = asks_in_a_stream
    answered = await caller.ask("tools/call", ARGUMENTS)
    assert '"requestState"' in answered.text
    assert "step one" not in answered.text


async def test_a_client_may_write_the_same_parameters_in_another_order(
    caller: Caller, server: McpServer
) -> None:
    server.reply = asks_once
    turned = {"arguments": dict(reversed(ARGUMENTS["arguments"].items()))}
    assert "heard" in (await again(caller, await state_of(caller), **turned))["result"]


@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": {"animal": "shark", "food": "fish"}},
        {"name": "s_other"},
        {"requestState": "step one"},
        {"requestState": "AAAA"},
        {"requestState": "é"},
        {"requestState": 7},
    ],
)
async def test_a_state_brought_to_another_call_is_refused(
    caller: Caller, server: McpServer, changed: dict[str, Any]
) -> None:
    server.reply = asks_once
    state = await state_of(caller)
    server.seen.clear()
    refused = await again(caller, state, **changed)
    assert refused["error"]["code"] == -32602
    assert "requestState" in refused["error"]["message"]
    assert server.seen == []


async def test_a_state_brought_by_another_method_is_refused(caller: Caller, server: McpServer) -> None:
    server.reply = asks_once
    asked = {"name": "s_feed"}
    state = (await caller.ask("tools/call", asked)).json()["result"]["requestState"]
    refused = await caller.ask("prompts/get", {**asked, **ANSWERS, "requestState": state})
    assert refused.json()["error"]["code"] == -32602


async def test_a_state_changed_in_one_letter_is_refused(caller: Caller, server: McpServer) -> None:
    server.reply = asks_once
    state = await state_of(caller)
    for place in (0, len(state) // 2, len(state) - 1):
        other = "A" if state[place] != "A" else "B"
        refused = await again(caller, state[:place] + other + state[place + 1 :])
        assert refused["error"]["code"] == -32602, place


async def test_a_state_of_another_server_with_the_same_tool_is_refused(
    start_gateway: StartGateway, start_server: Callable[[], Awaitable[McpServer]]
) -> None:
    one, other = await start_server(), await start_server()
    one.reply = other.reply = asks_once
    caller = await start_gateway(servers={"s": {"url": one.url}, "t": {"url": other.url}})
    asked = {"name": "feed"}
    state = (await caller.ask("tools/call", asked, path="/servers/s/mcp")).json()["result"]["requestState"]
    refused = await caller.ask(
        "tools/call", {**asked, **ANSWERS, "requestState": state}, path="/servers/t/mcp"
    )
    assert refused.json()["error"]["code"] == -32602
    assert len(other.seen) == 0


async def test_a_state_that_another_person_stole_is_refused(
    start_gateway: StartGateway, server: McpServer, google: Emulator
) -> None:
    server.reply = asks_once
    inbound = {"type": "google_id_token", "jwks_url": google.jwks_url, "audience": "https://a.example"}
    allow = [{"email": VISITOR}, {"email": "thief@example.com"}]
    caller = await start_gateway(inbound=[inbound | {"allow": allow}], servers={"s": {"url": server.url}})

    async def token_of(subject: str, email: str) -> str:
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com", "aud": "https://a.example", "sub": subject,
            "email": email, "email_verified": True, "iat": now, "exp": now + 600,
        }  # fmt: skip
        signed = await caller.http.post(f"{google.google_url}/emulator/sign", json={"claims": claims})
        return str(signed.json()["token"])

    caller.token = await token_of("1", VISITOR)
    state = await state_of(caller)
    mine, caller.token = caller.token, await token_of("2", "thief@example.com")
    assert (await again(caller, state))["error"]["code"] == -32602
    caller.token = mine
    assert "heard" in (await again(caller, state))["result"]


async def test_a_state_is_over_after_an_hour(start_gateway: StartGateway, server: McpServer) -> None:
    clock = Clock()
    server.reply = asks_once
    caller = await start_gateway(clock, servers={"s": {"url": server.url}})
    state = await state_of(caller)
    clock.ahead = 3599
    assert "heard" in (await again(caller, state))["result"]
    clock.ahead = 3602
    assert (await again(caller, state))["error"]["code"] == -32602


async def test_a_state_that_is_no_text_is_the_servers_fault(caller: Caller, server: McpServer) -> None:
    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, ASKING | {"requestState": {"step": 1}})

    server.reply = reply
    answered = await caller.ask("tools/call", ARGUMENTS)
    assert answered.json()["error"]["code"] == -32012


def test_replicas_with_one_storage_open_what_the_other_sealed(tmp_path: Path) -> None:
    storage = StorageSettings.model_validate(
        {"url": f"sqlite:///{tmp_path}/s.db", "encryption_key": {"file": str(tmp_path / "s.key")}}
    )
    sealed = Seals(storage).seal(b"a", purpose=b"p", seconds=60)
    assert Seals(storage).open(sealed, purpose=b"p") == b"a"
    for other, purpose in ((Seals(storage), b"q"), (Seals(), b"p")):
        with pytest.raises(SealBroken):
            other.open(sealed, purpose=purpose)
