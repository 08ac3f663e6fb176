"""Each caller has a share of a server's connections, and a queue of their own for what is beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import pytest
from tests.transport.test_upstream import (
    ASK,
    EVENTS,
    HANGS,
    OK,
    Connecting,
    RawServer,
    connecting,
    says,
    server,
)

from ostiary.inline_coroutines import as_future
from ostiary.transport.upstream import CallerBusy, Upstream, UpstreamAnswer, UpstreamFailed, UpstreamLimits
from ostiary.transport.upstream.turns import Turns

__all__ = ["connecting", "server"]
BUSY = "server s: too many of your calls are under way there; try again later"


def ask(upstream: Upstream, caller: Hashable, message: bytes = ASK) -> asyncio.Future[UpstreamAnswer]:
    async def exchange() -> UpstreamAnswer:
        return await upstream.exchange(message, caller)

    return as_future(exchange())


async def streams(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """More than anybody holds who does not read."""
    writer.write(EVENTS)
    while True:
        writer.write(b"4000\r\n" + b":" * 0x4000 + b"\r\n")
        await writer.drain()


async def under_way(server: RawServer, requests: int) -> None:
    async with asyncio.timeout(HANGS):
        while server.requests < requests:  # noqa: ASYNC110 - the server is one of bytes, and sets no event
            await asyncio.sleep(0.01)


async def test_as_many_unread_streams_as_a_server_has_connections_leave_others_their_share(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = streams
    upstream = connecting(connections=8, caller_connections=2)
    greedy = [ask(upstream, "greedy") for _ in range(8)]
    await under_way(server, 2)
    server.talk = says(OK)
    for caller in ("a", "b", "c", "a"):
        async with asyncio.timeout(HANGS):
            assert (await ask(upstream, caller)).body == b"{}"
    assert server.requests == 6
    assert [call.done() for call in greedy] == [True, True, *[False] * 6]
    stream = greedy[0].result().stream
    assert stream is not None
    stream.close()
    async with asyncio.timeout(HANGS):
        assert [(await call).body for call in greedy[2:]] == [b"{}"] * 6


async def test_the_queue_of_a_caller_is_bounded_in_calls(server: RawServer, connecting: Connecting) -> None:
    server.talk = streams
    upstream = connecting(caller_connections=1, waiting_calls=3)
    waiting = [ask(upstream, "greedy") for _ in range(4)]
    await under_way(server, 1)
    with pytest.raises(CallerBusy) as refused:
        await ask(upstream, "greedy")
    assert str(refused.value) == BUSY
    waiting[2].cancel()
    await asyncio.sleep(0)
    again = ask(upstream, "greedy")
    server.talk = says(OK)
    assert (await ask(upstream, "another")).body == b"{}"
    assert not again.done()


async def test_the_queue_of_a_caller_is_bounded_in_bytes(server: RawServer, connecting: Connecting) -> None:
    server.talk = streams
    upstream = connecting(caller_connections=1, waiting_bytes=2 * len(ASK))
    first, long = ask(upstream, "greedy"), ask(upstream, "greedy", ASK * 10)
    await under_way(server, 1)
    with pytest.raises(CallerBusy):
        await ask(upstream, "greedy")
    assert not long.done()
    long.cancel()
    await asyncio.sleep(0)
    waiting = [ask(upstream, "greedy"), ask(upstream, "greedy")]
    with pytest.raises(CallerBusy):
        await ask(upstream, "greedy")
    assert not any(call.done() for call in waiting)
    assert (await first).status == 200


async def test_callers_take_turns_however_many_calls_of_one_wait(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(b"", OK, pause=0.02)
    upstream = connecting(connections=1, caller_connections=1)
    answered: list[str] = []

    async def call(caller: str) -> None:
        await ask(upstream, caller)
        answered.append(caller)

    async with asyncio.timeout(HANGS):
        await asyncio.gather(*(call(caller) for caller in "aaaabbc"))
    assert "".join(answered) == "aabcaba"


async def test_who_waits_for_calls_of_their_own_is_not_told_that_the_server_is_slow(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = streams
    upstream = connecting(caller_connections=1, timeout=0.3)
    ask(upstream, "greedy")
    await under_way(server, 1)
    with pytest.raises(CallerBusy):
        await ask(upstream, "greedy")


async def test_a_share_comes_back_however_a_call_ends(server: RawServer, connecting: Connecting) -> None:
    upstream = connecting(caller_connections=1)
    for _ in range(3):
        ask(upstream, "a").cancel()  # while its connection is opened
    server.talk = says(b"nonsense\r\n\r\n", close=True)
    for _ in range(3):
        with pytest.raises(UpstreamFailed):
            await ask(upstream, "a")
    server.talk = says(OK, close=True)
    assert (await ask(upstream, "a")).body == b"{}"
    nobody = connecting("http://127.0.0.1:1/mcp", caller_connections=1)
    outcomes = await asyncio.gather(*(ask(nobody, "a") for _ in range(5)), return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"server s: 127.0.0.1:1: connection refused"}
    server.talk = says(OK)
    assert [(await ask(upstream, "a")).body for _ in range(3)] == [b"{}"] * 3


async def test_who_waits_when_the_pool_is_closed_hears_so_and_opens_nothing(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = streams
    upstream = connecting(caller_connections=1)
    calls = [ask(upstream, "a") for _ in range(3)]
    await under_way(server, 1)
    upstream.close()
    for call in calls[1:]:
        with pytest.raises(UpstreamFailed) as failed:
            await call
        assert str(failed.value) == "server s: the gateway has stopped"
    assert server.connections == 1


async def test_callers_of_whom_there_is_nothing_are_forgotten() -> None:
    turns: Turns[None] = Turns("s", UpstreamLimits())
    for caller in range(1000):
        turns.begin(caller)
    turns.begin("busy").under_way = 1
    turns.forget()
    assert list(turns.callers) == ["busy"]
