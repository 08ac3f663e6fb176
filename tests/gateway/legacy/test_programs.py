"""Programs of MCP 2025-11-25 and before, on their standard input and output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.gateway.conftest import Caller, StartGateway
from tests.gateway.legacy.conftest import ALL, Modern, message_of, messages_of, text_of
from tests.gateway.programs import program
from tests.gateway.sessions.conftest import Person, legacy_client
from tests.loopback import TRUSTING_NOBODY

OFFICIAL = """
    import anyio
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.stdio import stdio_server
    from pydantic import BaseModel

    server = MCPServer("old")
    out = os.fdopen(os.dup(1), "w")  # the SDK takes the first one for itself

    class Name(BaseModel):
        name: str

    @server.tool()
    async def pid() -> str:
        return str(os.getpid())

    @server.tool()
    async def ask(context: Context) -> str:
        said = await context.elicit("Name?", Name)
        return said.data.name if said.action == "accept" else said.action

    @server.tool()
    async def progress(context: Context) -> str:
        await context.report_progress(1, 2, "half")
        return "reported"

    class Old:
        # The SDK as it was, which knows no server/discover.
        async def __aiter__(self):
            async for line in anyio.wrap_file(sys.stdin):
                message = json.loads(line)
                if message.get("method") == "server/discover":
                    error = {"code": -32602, "message": "Invalid request parameters"}
                    answer = {"jsonrpc": "2.0", "id": message["id"], "error": error}
                    print(json.dumps(answer), file=out, flush=True)
                else:
                    yield line

    async def main():
        async with stdio_server(stdin=Old()) as (read, write):
            low = server._lowlevel_server
            await low.run(read, write, low.create_initialization_options())

    anyio.run(main)
"""
OLD = """
    begun = []

    def initialized(message):
        asked = message["params"]["protocolVersion"]
        info = {"name": "old", "version": "1"}
        result = {"protocolVersion": asked, "capabilities": {"tools": {}}, "serverInfo": info}
        say(id=message["id"], result=result)

    def calls():
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("method") == "initialize":
                begun.append(message)
                initialized(message)
            elif message.get("method") == "server/discover":
                UNKNOWN
            elif message.get("method") == "tools/call":
                yield message
"""
REFUSES = OLD.replace(
    "UNKNOWN", 'say(id=message["id"], error={"code": -32601, "message": "Method not found"})'
)
IS_SILENT = OLD.replace("UNKNOWN", "pass")
PID = """
    for message in calls():
        say(id=message["id"], result={"content": [{"type": "text", "text": str(os.getpid())}]})
"""

Start = Callable[..., Any]


@pytest.fixture
def start(start_gateway: StartGateway, tmp_path: Path) -> Start:
    """Starts a gateway in front of one program, called `s`, that runs this code."""

    async def starting(code: str, limits: dict[str, Any] | None = None, **settings: Any) -> Modern:
        server = {"command": program(tmp_path, code), **settings}
        caller = await start_gateway(servers={"s": server}, limits=limits or {})
        caller.http.timeout = httpx2.Timeout(60)
        return Modern(caller)

    return starting


def neighbour(modern: Modern) -> Modern:
    """Somebody at another address."""
    transport = httpx2.AsyncHTTPTransport(local_address="127.0.0.2", verify=TRUSTING_NOBODY)
    http = httpx2.AsyncClient(trust_env=False, transport=transport, timeout=60)
    return Modern(Caller(http, modern.caller.origin))


async def test_an_official_program_is_called_in_one_session(start: Start) -> None:
    modern = await start(OFFICIAL)
    first, second = await modern.call("pid"), await modern.call("pid")
    assert text_of(first) == text_of(second)
    assert first["resultType"] == "complete"


async def test_progress_comes_with_the_callers_own_token(start: Start) -> None:
    modern = await start(OFFICIAL)
    await modern.call("pid")
    answered = await modern.ask("tools/call", {"name": "progress", "arguments": {}}, progressToken="mine")
    *before, last = messages_of(answered)
    assert [message["params"]["progressToken"] for message in before] == ["mine"]
    assert text_of(last["result"]) == "reported"


async def test_a_question_of_a_program_goes_to_its_caller_and_back(start: Start) -> None:
    modern = await start(OFFICIAL)
    able = Modern(modern.caller, ALL)
    asked = await able.call("ask")
    assert asked["resultType"] == "input_required"
    [name] = asked["inputRequests"]
    said = {name: {"action": "accept", "content": {"name": "Ada"}}}
    answered = await able.again("ask", asked, said)
    assert text_of(answered["result"]) == "Ada"


@pytest.mark.parametrize("code", [REFUSES, IS_SILENT], ids=["refuses", "is silent"])
async def test_the_era_is_found_out_and_each_caller_has_a_process(start: Start, code: str) -> None:
    modern = await start(code + PID, timeout="1s")
    other = neighbour(modern)
    mine, theirs, mine_again = await modern.call("x"), await other.call("x"), await modern.call("x")
    await other.caller.http.aclose()
    assert text_of(mine) == text_of(mine_again)
    assert text_of(mine) != text_of(theirs)


async def test_a_shared_program_has_one_process_for_all_and_is_told_of_no_capabilities(start: Start) -> None:
    says_what_it_was_told = """
    for message in calls():
        told = [os.getpid(), begun[0]["params"]["capabilities"]]
        say(id=message["id"], result={"content": [{"type": "text", "text": json.dumps(told)}]})
    """
    modern = await start(REFUSES + says_what_it_was_told, processes="shared")
    able, other = Modern(modern.caller, ALL), neighbour(modern)
    ables, mine, theirs = await able.call("x"), await modern.call("x"), await other.call("x")
    await other.caller.http.aclose()
    assert text_of(mine) == text_of(theirs) == text_of(ables)
    assert json.loads(text_of(mine))[1] == {}


async def test_a_program_that_ends_in_a_call_fails_that_call_and_is_started_again(start: Start) -> None:
    modern = await start(
        REFUSES
        + """
    for message in calls():
        if message["params"]["name"] == "die": raise SystemExit(4)
        say(id=message["id"], result={"content": [{"type": "text", "text": str(os.getpid())}]})
    """
    )
    first = text_of(await modern.call("x"))
    failed = await modern.ask("tools/call", {"name": "die", "arguments": {}})
    assert failed.status_code == 502
    assert "it ended with exit status 4" in failed.text
    assert text_of(await modern.call("x")) != first
    await modern.ask("tools/call", {"name": "die", "arguments": {}})
    told = await modern.ask("tools/call", {"name": "x", "arguments": {}})
    assert "it is started again in 1 s at the earliest" in told.text


async def test_a_program_that_hangs_in_a_call_times_out(start: Start) -> None:
    modern = await start(REFUSES + "\n    for message in calls(): time.sleep(600)", timeout="1s")
    failed = await modern.ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 504


async def test_a_program_that_tells_of_progress_and_then_hangs_times_out(start: Start) -> None:
    modern = await start(
        REFUSES
        + """
    for message in calls():
        for number in range(3): progress(message, number)
        time.sleep(600)
    """,
        timeout="1s",
    )
    async with asyncio.timeout(30):
        told = messages_of(await modern.ask("tools/call", {"name": "x", "arguments": {}}, progressToken="p"))
    assert [one.get("error", {}).get("code") for one in told] == [None, None, None, -32011]


async def test_a_process_that_is_given_up_before_it_has_begun_is_ended(
    start: Start, tmp_path: Path, log: list[Any]
) -> None:
    modern = await start(
        f"""
    if os.path.exists({str(tmp_path / "first")!r}): time.sleep(600)
    open({str(tmp_path / "first")!r}, "w")
    """
        + REFUSES
        + PID,
        timeout="1s",
    )
    await modern.call("x")
    other = neighbour(modern)
    failed = await other.ask("tools/call", {"name": "x", "arguments": {}})
    await other.caller.http.aclose()
    assert failed.status_code == 504
    async with asyncio.timeout(20):
        while not any(one.get("event") == "server_ended" for one in log):  # noqa: ASYNC110 - another's doing
            await asyncio.sleep(0.05)


async def test_a_program_that_floods_between_calls_is_ended(start: Start, log: list[Any]) -> None:
    modern = await start(
        REFUSES
        + """
    for message in calls():
        say(id=message["id"], result={"content": []})
        while True: say(method="notifications/tools/list_changed")
    """
    )
    await modern.call("x")
    async with asyncio.timeout(20):
        while not any("on and on" in str(one.get("why")) for one in log):  # noqa: ASYNC110 - another's doing
            await asyncio.sleep(0.05)


async def test_the_session_that_was_idle_for_longest_makes_room_for_another_caller(start: Start) -> None:
    modern = await start(REFUSES + PID, limits={"server_processes": 1})
    other = neighbour(modern)
    first = text_of(await modern.call("x"))
    await other.call("x")
    again = text_of(await modern.call("x"))
    await other.caller.http.aclose()
    assert again != first


async def test_a_listing_over_stdio_is_told_in_the_words_of_today(start: Start) -> None:
    modern = await start(OFFICIAL)
    listed = message_of(await modern.ask("tools/list"))["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["pid", "ask", "progress"]
    assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == ("complete", 0, "private")


async def test_one_caller_with_many_clients_leaves_processes_to_others(start: Start) -> None:
    modern = await start(
        REFUSES + "\n    for message in calls(): pass", limits={"server_processes": 4}, timeout="3s"
    )
    clients = [
        Modern(modern.caller, {"experimental": {}, "sampling": {"of": {str(number): {}}}})
        for number in range(2)
    ]
    params = {"name": "x", "arguments": {}}
    waiting = asyncio.ensure_future(clients[0].ask("tools/call", params))
    await asyncio.sleep(1)
    told = await clients[1].ask("tools/call", params)
    assert (told.status_code, told.json()["error"]["code"]) == (503, -32015)
    assert (await waiting).status_code == 504


BOTH = """
    from mcp.server.mcpserver import Context, MCPServer
    from pydantic import BaseModel

    server = MCPServer("both")

    class Name(BaseModel):
        name: str

    @server.tool()
    async def ask(context: Context) -> str:
        said = await context.elicit("Name?", Name)  # which the SDK has in sessions alone
        return said.data.name if said.action == "accept" else said.action

    @server.tool()
    async def pid() -> str:
        return str(os.getpid())

    server.run("stdio")
"""


async def test_a_program_of_both_eras_has_a_session_with_a_legacy_caller(start: Start) -> None:
    modern = await start(BOTH)
    moderns = text_of(await modern.call("pid"))
    async with legacy_client(modern.caller.origin + modern.path, Person()) as client:
        answered, own = await client.call_tool("ask", {}), await client.call_tool("pid", {})
    assert text_of(answered.model_dump()) == "Ada"
    assert text_of(own.model_dump()) != moderns
