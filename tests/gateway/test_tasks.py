"""A call that goes on as a task is asked for by whoever made it, under a name that is theirs alone."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import META, VISITOR, Seen, result
from tests.gateway.test_streams import begin, event, whole

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import Caller, McpServer, StartGateway

    from ostiary.cloudrun.emulator import Emulator

TASKS = "io.modelcontextprotocol/tasks"
OWN = "task 1 of the server"
KNOWING = {**META, "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}}}
STATUS = {"taskId": OWN, "status": "working", "createdAt": "2026-07-28T00:00:00Z", "ttlMs": 60000}


async def works_on(seen: Seen, _request: web.Request) -> web.StreamResponse:
    """A tool that becomes a task, and a task that says what it was asked."""
    if seen.method == "tools/call":
        return result(seen, {"resultType": "task", **STATUS})
    return result(seen, {"resultType": "complete", **STATUS, "result": {"content": [], "seen": seen.body}})


async def works_on_in_a_stream(seen: Seen, request: web.Request) -> web.StreamResponse:
    answer = await begin(request)
    kind = "task" if seen.method == "tools/call" else "complete"
    await answer.write(event(whole(seen, {"resultType": kind, **STATUS})))
    return answer


async def ask(caller: Caller, method: str, *, path: str = "/mcp", said: str = "", **params: Any) -> Any:
    """As a client that knows tasks. said: its `Mcp-Name` header, if that is not the truth."""
    said = said or str(params.get("taskId", params.get("name")))
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": KNOWING, **params}}
    headers = [("mcp-method", method), ("mcp-protocol-version", "2026-07-28"), ("mcp-name", said)]
    return (await caller.post(json.dumps(body).encode(), headers, path=path)).json()


async def begun(caller: Caller, **others: Any) -> str:
    answered = await ask(caller, "tools/call", **{"name": "s_slow", **others})
    assert answered["result"]["resultType"] == "task"
    return str(answered["result"]["taskId"])


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_task_is_reached_at_its_server_under_its_own_name(
    caller: Caller, server: McpServer, method: str
) -> None:
    server.reply = works_on
    task = await begun(caller)
    assert OWN not in task
    answered = (await ask(caller, method, taskId=task))["result"]
    assert answered["taskId"] == task
    assert answered["result"]["seen"]["params"]["taskId"] == OWN
    assert server.seen[-1].header("mcp-name") == OWN


async def test_a_task_out_of_a_stream_has_its_name_here_too(caller: Caller, server: McpServer) -> None:
    server.reply = works_on_in_a_stream
    body = {"name": "s_slow", "_meta": KNOWING}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": body}
    headers = [("mcp-method", "tools/call"), ("mcp-protocol-version", "2026-07-28"), ("mcp-name", "s_slow")]
    answered = await caller.post(json.dumps(request).encode(), headers)
    assert '"taskId":"s.' in answered.text
    assert OWN not in answered.text


async def test_a_server_alone_has_its_tasks_too(caller: Caller, server: McpServer) -> None:
    server.reply = works_on
    task = await begun(caller, path="/servers/s/mcp", name="slow")
    answered = await ask(caller, "tasks/get", path="/servers/s/mcp", taskId=task)
    assert answered["result"]["taskId"] == task


@pytest.mark.parametrize("guess", [OWN, f"s.{OWN}", "s.AAAA", "t.AAAA", "s", ""])
async def test_a_guessed_task_is_nobodys(caller: Caller, server: McpServer, guess: str) -> None:
    server.reply = works_on
    await begun(caller)
    server.seen.clear()
    for path in ("/mcp", "/servers/s/mcp"):
        assert (await ask(caller, "tasks/get", path=path, taskId=guess))["error"]["code"] == -32602
    assert server.seen == []


async def test_a_task_that_another_person_stole_is_refused(
    start_gateway: StartGateway, server: McpServer, google: Emulator
) -> None:
    server.reply = works_on
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
    task = await begun(caller)
    mine, caller.token = caller.token, await token_of("2", "thief@example.com")
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        assert (await ask(caller, method, taskId=task))["error"]["code"] == -32602
    caller.token = mine
    assert (await ask(caller, "tasks/get", taskId=task))["result"]["taskId"] == task


async def test_a_task_taken_to_another_server_is_refused(
    start_gateway: StartGateway, start_server: Callable[[], Awaitable[McpServer]]
) -> None:
    one, other = await start_server(), await start_server()
    one.reply = other.reply = works_on
    caller = await start_gateway(servers={"s": {"url": one.url}, "t": {"url": other.url}})
    task = await begun(caller)
    for moved, path in ((f"t.{task.partition('.')[2]}", "/mcp"), (task, "/servers/t/mcp")):
        assert (await ask(caller, "tasks/get", path=path, taskId=moved))["error"]["code"] == -32602
    assert other.seen == []


async def test_a_header_that_names_another_task_is_a_lie(caller: Caller, server: McpServer) -> None:
    server.reply = works_on
    task = await begun(caller)
    assert (await ask(caller, "tasks/get", taskId=task, said="s.another"))["error"]["code"] == -32020


@pytest.mark.parametrize("task", ["s.AAAA", "t.AAAA"])
async def test_who_does_not_know_tasks_is_told_what_to_declare(caller: Caller, task: str) -> None:
    answered = await caller.ask("tasks/get", {"taskId": task}, headers=[("mcp-name", task)])
    assert (answered.status_code, answered.json()["error"]["code"]) == (400, -32021)
    assert answered.json()["error"]["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_a_task_whose_name_is_no_text_is_the_servers_fault(caller: Caller, server: McpServer) -> None:
    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, {"resultType": "task", **STATUS, "taskId": 7})

    server.reply = reply
    assert (await ask(caller, "tools/call", name="s_slow"))["error"]["code"] == -32012


async def test_discovery_says_that_there_are_tasks(
    start_gateway: StartGateway, start_server: Callable[[], Awaitable[McpServer]]
) -> None:
    one, other = await start_server(), await start_server()
    caller = await start_gateway(servers={"s": {"url": one.url}, "t": {"url": other.url}})

    async def discovered(seen: Seen, _request: web.Request) -> web.StreamResponse:
        told = {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "ttlMs": 0,
            "cacheScope": "public",
        }
        return result(seen, told | {"capabilities": {"extensions": {TASKS: {}, "com.example/other": {}}}})

    one.reply = discovered
    capabilities = (await caller.ask("server/discover")).json()["result"]["capabilities"]
    assert capabilities["extensions"] == {TASKS: {}}
