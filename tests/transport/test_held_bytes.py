"""What is held for a sender or a reader is counted, bounded, and given back."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from tests.transport.conftest import HOST, call, get

from ostiary.transport import byte_budget, serving
from ostiary.transport.byte_budget import BudgetsByOwner, ByteBudget
from ostiary.transport.inline_protocol import InlineHttpProtocol
from ostiary.transport.limits import Limits

if TYPE_CHECKING:
    from tests.transport.conftest import Behind, Connect, StartListener

CROWDED = "503 too much is being sent at once; try again later\n"


def head(path: str, *headers: str) -> str:
    lines = "".join(f"{line}\r\n" for line in (f"Host: {HOST}", *headers))
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n"


class Held:
    """A holder that notes that it had to give way."""

    def __init__(self) -> None:
        self.is_evicted = False

    def evict(self) -> None:
        self.is_evicted = True


def test_who_holds_most_gives_way() -> None:
    budget = ByteBudget(100)
    few, many, more = Held(), Held(), Held()
    budget.hold(few, 10)
    budget.hold(many, 60)
    budget.hold(more, 40)
    assert [few.is_evicted, many.is_evicted, more.is_evicted] == [False, True, False]
    assert budget.total == 50


def test_what_was_given_back_is_free_again() -> None:
    budget = ByteBudget(100)
    first, second = Held(), Held()
    budget.hold(first, 90)
    budget.hold(first, 0)
    budget.hold(second, 90)
    assert not second.is_evicted
    assert budget.total == 90


def test_owners_for_whom_nothing_is_held_are_forgotten() -> None:
    budgets = BudgetsByOwner(100)
    kept = budgets.of("kept")
    kept.hold(Held(), 1)
    for number in range(1000):
        budgets.of(number)
    assert budgets.of("kept") is kept
    assert len(budgets._budgets) == 2


@pytest.mark.parametrize("path", ["/call", "/asgi"])
async def test_bodies_of_strangers_are_bounded_together(start_listener: StartListener, path: str) -> None:
    """Whoever sends much gives way; somebody who sends little is answered all the same."""
    connect = await start_listener(Limits(unproven_bytes=100_000))
    greedy = [await connect() for _ in range(10)]
    for client in greedy:
        await client.send(head(path, "Content-Length: 50000"), "x" * 40_000)
        await asyncio.sleep(0.01)
    told = [client for client in greedy if client.reader._buffer]  # type: ignore[attr-defined]
    assert len(told) >= 8
    assert {await client.answer() for client in told} == {CROWDED}
    small = await connect()
    await small.send(call("little"))
    assert await small.answer() == "200 little"


async def test_heads_of_strangers_are_bounded_together(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(unproven_bytes=100_000))
    greedy = [await connect() for _ in range(10)]
    for client in greedy:
        await client.send(f"POST /call HTTP/1.1\r\nX: {'x' * 30_000}")
        await asyncio.sleep(0.01)
    assert sum(bool(client.reader._buffer) for client in greedy) >= 6  # type: ignore[attr-defined]


async def test_pipelined_bytes_are_bounded_together(start_listener: StartListener, behind: Behind) -> None:
    """What is sent behind a call that takes its time waits as it came, and counts."""
    connect = await start_listener(Limits(unproven_bytes=100_000))
    clients = [await connect() for _ in range(10)]
    for client in clients:
        await client.send(call("wait"))
        await client.send(call("x") * 500)
        await asyncio.sleep(0.01)
    behind.let_go.set()
    answers = [await client.answer() for client in clients]
    assert answers.count("200 wait") == 10  # what was begun is finished
    assert len([seen for seen in behind.seen if seen == "x"]) < 5000


async def test_the_head_decides_before_the_body_is_held(connect: Connect) -> None:
    """Who shows no token is told so at once; what they send all the same is dropped."""
    client = await connect()
    await client.send(head("/by-head", "Content-Length: 300000"), "x" * 10)
    assert await client.answer() == "401 no"
    await client.send("x" * 299_990, head("/by-head", "Authorization: x", "Content-Length: 6"), "x" * 6)
    assert await client.answer() == "200 6"


async def test_who_asks_before_sending_is_turned_away_by_the_head(connect: Connect) -> None:
    client = await connect()
    await client.send(head("/by-head", "Content-Length: 300000", "Expect: 100-continue"))
    assert await client.answer() == "401 no"
    assert await client.rest() == b""


async def test_a_body_that_outgrows_its_bound_while_its_door_waits(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(body_bytes=1000))
    client = await connect()
    await client.send(head("/by-head", "Authorization: x", "Transfer-Encoding: chunked"), "5\r\nxxxxx\r\n")
    await asyncio.sleep(0.02)
    await client.send("400\r\n", "x" * 1024, "\r\n")
    assert await client.answer() == "413 the request body is longer than 1000 bytes\n"


async def test_bodies_of_a_proven_caller_are_bounded_by_their_own_budget(
    start_listener: StartListener,
) -> None:
    connect = await start_listener(Limits(unproven_bytes=1_000, caller_bytes=200_000))
    proven = [await connect() for _ in range(8)]
    for client in proven:
        await client.send(head("/by-head", "Authorization: x", "Content-Length: 50000"), "x" * 10)
        await asyncio.sleep(0.01)
        await client.send("x" * 39_990)
        await asyncio.sleep(0.01)
    told = [client for client in proven if client.reader._buffer]  # type: ignore[attr-defined]
    assert {await client.answer() for client in told} == {CROWDED}
    assert 3 <= len(told) <= 5


async def test_a_body_in_two_byte_chunks_is_read_whole(connect: Connect) -> None:
    client = await connect()
    await client.send(head("/call", "Transfer-Encoding: chunked"), "2\r\nab\r\n" * 100_000, "0\r\n\r\n")
    assert await client.answer() == f"200 {'ab' * 100_000}"


@pytest.mark.parametrize("path", ["/call", "/asgi"])
async def test_a_trailer_is_no_header(connect: Connect, behind: Behind, path: str) -> None:
    """A token, or a Host, that comes after the head was decided on is none."""
    client = await connect()
    trailers = "Authorization: Bearer late\r\nHost: evil.example.com\r\nX-A: 1\r\n"
    await client.send(head(path, "Transfer-Encoding: chunked"), f"1\r\nx\r\n0\r\n{trailers}\r\n")
    assert (await client.answer()).startswith("200 ")
    assert behind.heads == [{b"host": HOST.encode(), b"transfer-encoding": b"chunked"}]


@pytest.mark.parametrize("path", ["/call", "/asgi?q=1"])
async def test_an_absolute_target_of_ours_is_ours_whatever_host_says(
    connect: Connect, behind: Behind, path: str
) -> None:
    client = await connect()
    target = f"HTTP://{HOST.upper()}{path}"
    await client.send(f"POST {target} HTTP/1.1\r\nHost: evil.example.com\r\nContent-Length: 1\r\n\r\nx")
    assert (await client.answer()).startswith("200 ")
    assert behind.heads[0][b"host"] == HOST.encode()


async def test_requests_whose_answers_nobody_reads_are_not_answered_without_end(
    connect: Connect, behind: Behind
) -> None:
    """Their sender waits once the answers pile up; whoever reads them gets them all."""
    client = await connect()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    sending = asyncio.ensure_future(client.send(head("/long", "Content-Length: 0") * 3000))
    answered = -1
    while answered < len(behind.seen):
        answered = len(behind.seen)
        await asyncio.sleep(0.2)
    assert answered < 1000
    client.reader._transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(3000):
        assert (await client.answer()).startswith("200 ")
    await sending


async def test_a_reader_who_does_not_read_is_cut_off(start_listener: StartListener, behind: Behind) -> None:
    connect = await start_listener(Limits(write_timeout=0.1))
    client = await connect()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(head("/endless", "Content-Length: 0"))
    await asyncio.wait_for(behind.closed.wait(), 10)


async def test_a_reader_who_is_behind_all_the_time_and_reads_on_is_not_cut_off(
    start_listener: StartListener, behind: Behind
) -> None:
    """What waits for them is always about the same, and never what waited before."""
    connect = await start_listener(Limits(write_timeout=0.1))
    client = await connect()
    await client.send(head("/endless", "Content-Length: 0"))
    until = asyncio.get_running_loop().time() + 3.5  # the listener looks once a second
    while asyncio.get_running_loop().time() < until:
        assert await client.reader.read(2**20)
    assert not behind.closed.is_set()


def read_and_break_off(port: int) -> int:
    """Read an endless answer as fast as it comes, then reset the connection in its middle."""
    count = 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as reader:
        reader.sendall(head("/endless", "Content-Length: 0").encode())
        while count < 50_000_000:
            count += len(reader.recv(2**20))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return count


async def test_an_endless_answer_whose_reader_is_quick_or_gone_keeps_nobody_waiting(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener()
    others = await connect()
    for _ in range(3):
        reading = asyncio.create_task(asyncio.to_thread(read_and_break_off, connect.port))
        while not reading.done():
            await others.send(call("beside"))
            assert await others.answer() == "200 beside"
        await reading
    await asyncio.wait_for(behind.closed.wait(), 5)


async def test_a_reader_who_does_not_read_the_last_answer_is_cut_off(start_listener: StartListener) -> None:
    """Closing waits for what is unsent, and must not wait for ever."""
    connect = await start_listener(Limits(write_timeout=0.1))
    client = await connect()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(head("/huge", "Content-Length: 0", "Connection: close"))
    await asyncio.sleep(3)
    client.reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert len(await client.rest()) < 64_000_000


@pytest.mark.parametrize("path", ["/call", "/asgi"])
async def test_a_half_read_request_is_answered_before_the_listener_stops(
    start_listener: StartListener, path: str
) -> None:
    connect = await start_listener()
    in_head, in_body = await connect(), await connect()
    await in_head.send(head(path, "Content-Length: 1")[:40])
    await in_body.send(head(path, "Content-Length: 10"), "x" * 5)
    await asyncio.sleep(0.05)
    stopping = asyncio.ensure_future(start_listener.listening.aclose())
    await asyncio.sleep(0.2)
    await in_body.send("x" * 5)
    await in_head.send(head(path, "Content-Length: 1")[40:], "x")
    for client in (in_body, in_head):
        assert (await client.answer()).startswith("200 ")
        assert await client.rest() == b""
    await stopping


@pytest.mark.parametrize("path", ["/call", "/asgi"])
async def test_a_request_that_stays_half_read_is_told_when_the_listener_stops(
    start_listener: StartListener, path: str
) -> None:
    connect = await start_listener(Limits(drain_timeout=0.2))
    client = await connect()
    await client.send(head(path, "Content-Length: 10"), "x" * 5)
    await asyncio.sleep(0.05)
    stopping = asyncio.ensure_future(start_listener.listening.aclose())
    assert await client.answer() == "503 the server is stopping; send it again\n"
    await stopping


async def test_a_page_without_end_is_ended_when_the_listener_stops(
    start_listener: StartListener, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.transport.serving.DRAIN_SECONDS", 0.1)
    client = await (await start_listener())()
    await client.send(get("/wait"))
    await asyncio.sleep(0.05)
    assert behind.seen == ["/wait"]
    await start_listener.listening.aclose()
    async with asyncio.timeout(5):
        await behind.cancelled.wait()


async def test_a_page_after_a_call_is_answered_in_its_turn(connect: Connect, behind: Behind) -> None:
    client = await connect()
    await client.send(call("wait"))
    await asyncio.sleep(0.02)
    await client.send(get("/page"))
    await asyncio.sleep(0.02)
    behind.let_go.set()
    assert await client.answer() == "200 wait"
    assert await client.answer() == "200 /page 0"


async def test_a_body_is_taken_no_faster_than_its_page_reads_it(
    start_listener: StartListener, behind: Behind
) -> None:
    """Whoever waits with reading a body has the sender wait, whatever has come already."""
    connect = await start_listener(Limits(body_bytes=64_000_000))
    client = await connect()
    await client.send(head("/slow", "Content-Length: 32000000"))
    sending = asyncio.ensure_future(client.send("x" * 32_000_000))
    await asyncio.sleep(0.3)
    assert not behind.pieces
    behind.let_go.set()
    assert await client.answer() == "200 /slow 32000000"
    assert max(behind.pieces) < 200_000
    await sending


async def test_whoever_leaves_in_the_middle_of_a_body_leaves_no_trace_in_the_log(
    start_listener: StartListener, caplog: pytest.LogCaptureFixture
) -> None:
    connect = await start_listener()
    client = await connect()
    await client.send(head("/starlette", "Content-Length: 10"), "x")
    await asyncio.sleep(0.05)
    client.writer.close()
    await asyncio.sleep(0.05)
    assert caplog.records == []


async def test_answers_that_strangers_do_not_read_are_bounded_together(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener(Limits(unproven_bytes=100_000))
    clients = [await connect() for _ in range(10)]
    for client in clients:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(head("/huge", "Content-Length: 0"))
    await asyncio.sleep(0.5)
    for client in clients:
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            assert len(await client.rest()) < 64_000_000


async def test_a_body_behind_a_call_under_way_is_dropped_when_it_has_to_give_way(
    start_listener: StartListener, behind: Behind
) -> None:
    """What is not counted any more is not held any more, however long the call takes."""
    connect = await start_listener(Limits(unproven_bytes=100_000))
    client, other = await connect(), await connect()
    await client.send(call("wait") + head("/call", "Content-Length: 1000000"))
    await asyncio.sleep(0.05)
    await client.send("x" * 90_000)
    await other.send(head("/call", "Content-Length: 1000000"), "x" * 20_000)
    await asyncio.sleep(0.1)
    connections = [held for held in gc.get_objects() if isinstance(held, InlineHttpProtocol)]
    assert max(len(connection.body) for connection in connections) < 50_000
    behind.let_go.set()
    assert await client.answer() == "200 wait"


async def test_bodies_of_calls_under_way_are_bounded_together(
    start_listener: StartListener, behind: Behind
) -> None:
    """A body is held until its call is answered, whatever the call waits for."""
    connect = await start_listener(Limits(unproven_bytes=100_000))
    clients = [await connect() for _ in range(10)]
    for client in clients:
        await client.send(call("wait" + "x" * 40_000))
        await asyncio.sleep(0.02)
    told = [client for client in clients if client.reader._buffer]  # type: ignore[attr-defined]
    assert {await client.answer() for client in told} == {CROWDED}
    assert len(told) == 8
    behind.let_go.set()
    assert all([(await client.answer()).startswith("200 ") for client in clients if client not in told])


async def test_nothing_is_held_when_everybody_has_left(
    start_listener: StartListener, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they left: a budget that leaks is full some day."""
    budgets: list[ByteBudget] = []

    class Noted(ByteBudget):
        def __init__(self, most: int) -> None:
            super().__init__(most)
            budgets.append(self)

    for module in (serving, byte_budget):
        monkeypatch.setattr(module, "ByteBudget", Noted)
    connect = await start_listener(Limits(unproven_bytes=300_000, caller_bytes=100_000, body_bytes=80_000))
    pieces = [
        call("x"),
        call("wait"),
        call("stream"),
        call("x" * 50_000),
        get("/page"),
        get("/wait"),
        head("/by-head", "Content-Length: 70000"),
        head("/by-head", "Authorization: x", "Content-Length: 70000"),
        head("/asgi", "Transfer-Encoding: chunked") + "5\r\n",
        head("/long", "Content-Length: 0") * 20,
        "GET /",
        "x" * 3_000,
        "x" * 40_000,
        "\0",
    ]
    odd, clients = random.Random(7), []
    for number in range(400):
        clients.append(client := await connect())
        with contextlib.suppress(OSError):
            for piece in odd.choices(pieces, k=odd.randint(1, 4)):
                await client.send(piece[: odd.choice([None, None, 10, 100])])
                await asyncio.sleep(odd.choice([0, 0, 0.001]))
        if odd.random() < 0.7:
            client.writer.transport.abort()
        if number % 50 == 49:
            behind.let_go.set()
            await asyncio.sleep(0.01)
            behind.let_go.clear()
    behind.let_go.set()
    for client in clients:
        client.writer.transport.abort()
    await asyncio.sleep(0.2)
    assert [budget.total for budget in budgets] == [0] * len(budgets)
