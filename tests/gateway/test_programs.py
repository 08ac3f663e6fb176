"""Servers that are programs: real children behind a real gateway, many of them hostile."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.gateway.conftest import META, Caller, McpServer, StartGateway
from tests.gateway.programs import program
from tests.loopback import TRUSTING_NOBODY

from ostiary.gateway.upstreams.stdio import session as stdio_session
from ostiary.gateway.upstreams.stdio.restarts import A_WHILE, LONGEST_PAUSE, Restarts

HANGS = 20
"""Seconds after which a test is sure that nothing will come."""
SAYS_WHO_IT_IS = """
    for message in messages():
        text(message, f"{os.getpid()} {os.environ.get('KEY')}")
"""
OFFICIAL = """
    from mcp.server.mcpserver import Context, MCPServer

    server = MCPServer("official")

    @server.tool()
    def echo(text: str) -> str:
        return text

    @server.tool()
    async def count(ctx: Context) -> str:
        for number in range(3):
            await ctx.report_progress(number, 3)
        return "counted"

    server.run("stdio")
"""

Start = Callable[..., Any]


@pytest.fixture
def start(start_gateway: StartGateway, tmp_path: Path) -> Start:
    """Starts a gateway in front of one program, called `p`, that runs this code."""

    async def starting(code: str, limits: dict[str, Any] | None = None, **settings: Any) -> Caller:
        server = {"command": program(tmp_path, code), **settings}
        caller = await start_gateway(servers={"p": server}, limits=limits or {})
        caller.http.timeout = httpx2.Timeout(60)  # an official server takes long to start on a busy machine
        return caller

    return starting


@pytest.fixture
async def neighbour() -> AsyncIterator[Callable[[Caller], Any]]:
    """Makes somebody at another address, who is another account."""
    async with AsyncExitStack() as running:

        async def making(caller: Caller, address: str = "127.0.0.2") -> Caller:
            transport = httpx2.AsyncHTTPTransport(local_address=address, verify=TRUSTING_NOBODY)
            http = httpx2.AsyncClient(trust_env=False, transport=transport)
            return Caller(await running.enter_async_context(http), caller.origin)

        yield making


def request(name: str, **meta: Any) -> tuple[bytes, list[tuple[str, str]]]:
    """The body and the headers of a call of this tool, with more in its `_meta`."""
    params = {"name": name, "arguments": {}, "_meta": {**META, **meta}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    return body, [("mcp-method", "tools/call"), ("mcp-protocol-version", "2026-07-28"), ("mcp-name", name)]


async def call(caller: Caller, name: str = "p_tool", **meta: Any) -> httpx2.Response:
    """Call it."""
    return await caller.post(*request(name, **meta))


def streaming(caller: Caller, **meta: Any) -> Any:
    """Call a tool whose answer is read as it comes: an async context manager."""
    body, headers = request("p_tool", **meta)
    headers.append(("content-type", "application/json"))
    return caller.http.stream("POST", f"{caller.origin}/mcp", content=body, headers=headers)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what nobody tells us."""
    async with asyncio.timeout(HANGS):
        while not is_so():  # noqa: ASYNC110 - it is another program's doing
            await asyncio.sleep(0.02)


def said(response: httpx2.Response) -> str:
    """The text of a tool's answer."""
    return str(response.json()["result"]["content"][0]["text"])


def events(response: httpx2.Response) -> list[dict[str, Any]]:
    """The messages of a stream."""
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


async def test_an_official_server_is_listed_and_called(start: Start) -> None:
    caller = await start(OFFICIAL)
    called = await caller.ask("tools/call", {"name": "p_echo", "arguments": {"text": "hello"}})
    assert called.json()["result"]["structuredContent"] == {"result": "hello"}
    listed = await caller.ask("tools/list")
    assert {tool["name"] for tool in listed.json()["result"]["tools"]} == {"p_count", "p_echo"}


async def test_progress_comes_with_the_callers_own_token(start: Start) -> None:
    caller = await start(OFFICIAL)
    counted = await call(caller, "p_count", progressToken="mine")
    *before, last = events(counted)
    assert [message["params"]["progressToken"] for message in before] == ["mine"] * 3
    assert (last["id"], last["result"]["content"][0]["text"]) == (1, "counted")


async def test_each_caller_has_a_process_of_their_own(start: Start, neighbour: Any) -> None:
    caller = await start(SAYS_WHO_IT_IS)
    other = await neighbour(caller)
    mine, theirs, mine_again = await call(caller), await call(other), await call(caller)
    assert said(mine) == said(mine_again)
    assert said(mine) != said(theirs)


async def test_all_callers_share_one_process_when_the_operator_says_so(start: Start, neighbour: Any) -> None:
    caller = await start(SAYS_WHO_IT_IS, processes="shared")
    other = await neighbour(caller)
    assert said(await call(caller)) == said(await call(other))


async def test_a_program_has_the_secrets_that_it_is_given(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITS_KEY", "its own key")
    caller = await start(SAYS_WHO_IT_IS, env={"KEY": {"env": "ITS_KEY"}})
    assert said(await call(caller)).endswith(" its own key")


async def test_two_callers_of_one_process_with_the_same_token_each_have_their_own_progress(
    start: Start, neighbour: Any
) -> None:
    caller = await start(
        """
        waiting = []
        for message in messages():
            waiting.append(message)
            if len(waiting) == 2:
                for number, one in enumerate(waiting): progress(one, number)
                for one in waiting: text(one, "done")
        """,
        processes="shared",
    )
    other = await neighbour(caller)
    first = asyncio.ensure_future(call(caller, progressToken=7))
    await asyncio.sleep(0.3)  # so that it is the first; either order would do, and be told apart
    second = await call(other, progressToken=7)
    seen = [[message.get("params") for message in events(one)] for one in (await first, second)]
    assert seen == [
        [{"progressToken": 7, "progress": 0}, None],
        [{"progressToken": 7, "progress": 1}, None],
    ]


async def test_a_log_line_is_for_who_wants_the_log_and_in_a_shared_process_nobody_guesses(
    start: Start, neighbour: Any
) -> None:
    logs = """
        for message in messages():
            if message["params"]["name"] == "wait":
                held = message
                continue
            say(method="notifications/message", params={"level": "info", "data": "a secret of this call"})
            text(message, "done")
            text(held, "waited")
    """
    caller = await start(logs, processes="shared")
    other = await neighbour(caller)
    wants_log: dict[str, Any] = {"io.modelcontextprotocol/logLevel": "debug"}
    waiting = asyncio.ensure_future(call(other, "p_wait", **wants_log))
    await asyncio.sleep(0.3)
    logged = await call(caller, "p_log", **wants_log)
    assert said(logged) == "done"
    assert said(await waiting) == "waited"


async def test_a_message_with_line_breaks_is_one_line(start: Start) -> None:
    caller = await start(
        "for message in messages(): text(message, json.dumps(message['params']['arguments']))"
    )
    body = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"p_x",\n"arguments":{"a":\r\n"b\\n"},'
        f'"_meta":{json.dumps(META)}}}}}'
    )
    routing = [("mcp-method", "tools/call"), ("mcp-protocol-version", "2026-07-28"), ("mcp-name", "p_x")]
    assert said(await caller.post(body.encode(), routing)) == '{"a": "b\\n"}'


async def test_what_an_error_says_comes_with_its_status(start: Start) -> None:
    caller = await start(
        "for message in messages(): say(id=message['id'], error={'code': -32601, 'message': 'no method'})"
    )
    answer = await caller.ask("tools/call", {"name": "p_x", "arguments": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


async def test_a_subscription_lives_however_quiet_it_is(start: Start) -> None:
    caller = await start(
        """
        for message in messages():
            if message["method"] == "subscriptions/listen":
                of = {"_meta": {"io.modelcontextprotocol/subscriptionId": message["id"]}}
                say(method="notifications/subscriptions/acknowledged", params=of)
                time.sleep(1.5)  # longer than its timeout
                say(method="notifications/tools/list_changed", params=of)
                answer(message, {})
        """,
        timeout="500ms",
    )
    answer = await caller.ask(
        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, path="/servers/p/mcp"
    )
    assert [(one.get("method"), one.get("id")) for one in events(answer)] == [
        ("notifications/subscriptions/acknowledged", None),
        ("notifications/tools/list_changed", None),
        (None, 1),
    ]
    assert events(answer)[1]["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 1}


async def test_when_the_caller_leaves_the_program_is_told(start: Start, tmp_path: Path) -> None:
    caller = await start(
        f"""
        for message in messages():
            if message["method"] == "notifications/cancelled":
                open({str(tmp_path / "cancelled")!r}, "w").write(str(message["params"]["requestId"] == asked))
            else:
                asked = message["id"]
                progress(message, 1)
        """
    )
    told = tmp_path / "cancelled"
    async with streaming(caller, progressToken=1) as stream:
        await anext(stream.aiter_raw())
    await until(lambda: told.exists() and bool(told.read_text()))
    assert told.read_text() == "True"


# what goes wrong


@pytest.fixture
async def good(start_server: Callable[[], Awaitable[McpServer]]) -> McpServer:
    return await start_server()


async def beside(
    start_gateway: StartGateway, tmp_path: Path, code: str, good: McpServer, **settings: Any
) -> Caller:
    """In front of this program, called `p`, and a good server, called `s`."""
    return await start_gateway(
        servers={"p": {"command": program(tmp_path, code), **settings}, "s": {"url": good.url}}
    )


HOSTILE = {
    "it ends": ("for message in messages(): raise SystemExit(3)", 502, "it ended with exit status 3"),
    "it is killed": ("for message in messages(): os.kill(os.getpid(), 9)", 502, "it was ended by signal 9"),
    "it never answers": ("for message in messages(): pass", 504, "no answer within 0.5 s"),
    "it answers another id": (
        "for message in messages(): [answer({'id': one}, {}) for one in (12345, '1', None)]",
        504,
        "no answer within 0.5 s",
    ),
    "it answers with neither a result nor an error": (
        "for message in messages(): say(id=message['id'])",
        504,
        "no answer within 0.5 s",
    ),
    "it writes a line without an end": (
        "for message in messages():\n while True: sys.stdout.write('a' * 65536)",
        502,
        "a line of its output is longer than 16777216 bytes",
    ),
    "it floods with junk": (
        "for message in messages():\n while True: print('junk ' * 100)",
        502,
        "it writes on and on what nobody asked for",
    ),
    "it floods with short junk": (
        "for message in messages():\n while True: sys.stdout.write('{}\\n' * 1000)",
        502,
        "it writes on and on what nobody asked for",
    ),
    "it floods with requests": (
        "for message in messages():\n while True: say(id=1, method='sampling/createMessage', params={})",
        502,
        "it writes on and on what nobody asked for",
    ),
    "it floods with notifications": (
        "for message in messages():\n while True: say(method='notifications/tools/list_changed')",
        502,
        "it writes on and on what nobody asked for",
    ),
    "it closes its output": (
        "for message in messages(): os.close(1); time.sleep(60)",
        504,
        "no answer within 0.5 s",
    ),
    "it forks": (
        "for message in messages():\n [os.fork() for _ in range(4)]; time.sleep(60)",
        504,
        "no answer within 0.5 s",
    ),
    "it nests without end": (
        "for message in messages(): sys.stdout.write('{\"id\": ' + '[' * 100000 + '\\n'); sys.stdout.flush()",
        504,
        "no answer within 0.5 s",
    ),
}


@pytest.mark.parametrize("attack", HOSTILE, ids=lambda name: name.replace(" ", "-"))
async def test_a_hostile_program_costs_its_caller_an_error_and_nobody_else_anything(
    attack: str, start_gateway: StartGateway, tmp_path: Path, good: McpServer
) -> None:
    code, status, why = HOSTILE[attack]
    timeout = "500ms" if status == 504 else "60s"  # in which a flood is found out on any machine
    caller = await beside(start_gateway, tmp_path, code, good, timeout=timeout)
    caller.http.timeout = httpx2.Timeout(60)
    await caller.ask(
        "server/discover", path="/servers/p/mcp"
    )  # so that it runs, and starting is no part of it
    asked, served = await asyncio.gather(call(caller), call(caller, "s_tool"))
    assert served.status_code == 200
    assert asked.status_code == status
    assert why in asked.json()["error"]["message"]


async def test_an_endless_flood_leaves_memory_bounded(start: Start) -> None:
    caller = await start(
        "for message in messages():\n while True: progress(message, 1)",
        timeout="2s",
        limits={"answer_bytes": 1_000_000},
    )
    tracemalloc.start()
    async with streaming(caller, progressToken=1) as stream:
        await anext(stream.aiter_raw())
        await asyncio.sleep(2)  # reading nothing
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 1024 * 1024


async def test_a_program_that_ended_is_started_again_by_the_next_call(start: Start) -> None:
    caller = await start(
        """
        for message in messages():
            if message["params"]["name"] == "die": raise SystemExit(1)
            text(message, str(os.getpid()))
        """
    )
    first = said(await call(caller))
    assert (await call(caller, "p_die")).status_code == 502
    assert said(await call(caller)) != first


async def test_a_program_that_keeps_ending_is_left_alone_for_a_while_and_only_its_caller_waits(
    start: Start, neighbour: Any
) -> None:
    caller = await start(
        """
        for message in messages():
            if message["params"]["name"] == "die": raise SystemExit(1)
            text(message, "alive")
        """
    )
    await call(caller, "p_die")
    await call(caller, "p_die")
    told = await call(caller)
    assert told.status_code == 502
    assert "it ended with exit status 1; it is started again in 1 s at the earliest" in told.text
    assert said(await call(await neighbour(caller))) == "alive"


async def test_lists_name_a_program_that_does_not_start_and_since_when(
    start_gateway: StartGateway, tmp_path: Path, good: McpServer
) -> None:
    caller = await beside(start_gateway, tmp_path, "raise SystemExit(5)", good)
    for _ in range(2):
        listed = await caller.ask("tools/list")
        missing = listed.json()["result"]["_meta"]["dev.ostiary/unavailable"][0]
        assert (missing["server"], missing["step"]) == ("p", "start")
        assert missing["since"] < missing["next_try"]
    told = await call(caller)
    assert told.status_code == 502
    assert "it ended with exit status 5" in told.text


async def test_what_one_callers_process_suffers_hides_the_server_from_nobody(
    start_gateway: StartGateway, tmp_path: Path, good: McpServer, neighbour: Any
) -> None:
    dies = """
        for message in messages():
            if message["method"] == "tools/call": raise SystemExit(1)
            answer(message, {"tools": [], "ttlMs": 0, "cacheScope": "private"})
    """
    caller = await beside(start_gateway, tmp_path, dies, good)
    await call(caller)
    await call(caller)
    listed = await (await neighbour(caller)).ask("tools/list")
    missing = listed.json()["result"]["_meta"]["dev.ostiary/unavailable"]
    assert [one["server"] for one in missing] == ["s"]  # whose answer is no list


async def test_a_program_that_hangs_is_ended_and_the_next_call_has_a_new_one(
    start: Start, tmp_path: Path
) -> None:
    hung = tmp_path / "hung"
    caller = await start(
        f"""
        for message in messages():
            if not os.path.exists({str(hung)!r}):
                open({str(hung)!r}, "w")
                time.sleep(600)
            text(message, "well again")
        """,
        timeout="300ms",
    )
    assert (await call(caller)).status_code == 504
    async with asyncio.timeout(HANGS):
        while (answer := await call(caller)).status_code != 200:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.1)
    assert said(answer) == "well again"


async def test_a_program_that_reads_nothing_keeps_nobody_and_is_ended(start: Start, log: list[Any]) -> None:
    caller = await start(
        """
        for message in messages():
            text(message, "begun")
            time.sleep(600)
        """,
        limits={"body_bytes": 200_000},
        timeout="500ms",
    )
    await call(caller)
    params = {"name": "p_tool", "arguments": {"text": "x" * 150_000}}
    async with asyncio.timeout(HANGS):
        answers = await asyncio.gather(*(caller.ask("tools/call", params) for _ in range(3)))
    assert [answer.json()["error"]["code"] for answer in answers].count(-32015) == 1
    assert {answer.status_code for answer in answers} <= {502, 503, 504}
    await until(lambda: any(one.get("event") == "server_ended" for one in log))
    assert [one["why"] for one in log if one.get("event") == "server_ended"] == ["it reads nothing"]


async def test_the_process_that_was_idle_for_longest_makes_room_for_another_caller(
    start: Start, neighbour: Any
) -> None:
    caller = await start(SAYS_WHO_IT_IS, limits={"server_processes": 2})
    second, third = await neighbour(caller, "127.0.0.2"), await neighbour(caller, "127.0.0.3")
    one, two = said(await call(caller)), said(await call(second))
    assert said(await call(caller)) == one
    await call(third)
    assert said(await call(caller)) == one
    assert said(await call(second)) != two


async def test_when_all_processes_are_at_work_one_more_caller_is_told_to_come_later(
    start: Start, neighbour: Any
) -> None:
    caller = await start(
        "for message in messages(): progress(message, 1)", limits={"server_processes": 1}, timeout="3s"
    )
    other = await neighbour(caller)
    working = asyncio.ensure_future(call(caller, progressToken=1))
    await asyncio.sleep(1)
    told = await call(other)
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert "all 1 processes of it are at work; try again later" in told.text
    working.cancel()


async def test_an_idle_process_is_stopped(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    monkeypatch.setattr(stdio_session, "IDLE_SECONDS", 0.2)
    caller = await start(SAYS_WHO_IT_IS)
    first = said(await call(caller))
    await until(lambda: any(one.get("event") == "server_ended" for one in log))
    assert [one["why"] for one in log if one.get("event") == "server_ended"] == ["it was idle"]
    assert said(await call(caller)) != first


async def test_what_a_program_says_on_standard_error_is_in_our_log(start: Start, log: list[Any]) -> None:
    caller = await start(
        """
        for message in messages():
            print('a warning\\x1b[2J', file=sys.stderr, flush=True)
            text(message, 'done')
        """
    )
    await call(caller)
    await until(lambda: any(one.get("event") == "server_said" for one in log))
    [line] = [one for one in log if one.get("event") == "server_said"]
    assert (line["server"], line["text"]) == ("p", "a warning [2J")


def test_pauses_double_and_who_lived_for_a_while_counts_as_well() -> None:
    now = [0.0]
    restarts = Restarts(lambda: now[0])
    pauses = []
    for _ in range(8):
        restarts.started()
        restarts.ended("it ended")
        pauses.append(restarts.pause)
    assert pauses == [0, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE]
    restarts.started()
    now[0] += A_WHILE
    restarts.ended("it ended")
    assert restarts.pause == 0
    restarts.failed("it does not start")
    assert restarts.pause == 2
