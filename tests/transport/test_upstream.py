"""Connections to one MCP server: pooled, bounded, streamed, and never waited on for ever."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.peers.certificates import CertificateAuthority
from tests.peers.http_proxy import HttpProxy, proxying

from ostiary.inline_coroutines import as_future
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.proxies import NONE, Proxies, proxies_of
from ostiary.transport.trust import TrustSet
from ostiary.transport.upstream import CallStep, Upstream, UpstreamAnswer, UpstreamFailed, UpstreamLimits
from ostiary.transport.upstream.connection import READ_AT_ONCE

HANGS = 5
"""Seconds after which a test is sure that nothing will come."""
ASK = b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A server that says bytes. `talk` is what it does for one request."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.requests = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.talk: Talk = says(OK)
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                self.asked.set()
                await self.talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self.left.set()
            writer.transport.abort()


def says(*parts: bytes, close: bool = False, pause: float = 0) -> Talk:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if close:
            writer.close()

    return talk


async def stays_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@contextlib.asynccontextmanager
async def listening(server: RawServer, context: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    yield
    listener.close()
    await server.stop()


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    async with listening(raw):
        yield raw


Connecting = Callable[..., Upstream]


@pytest.fixture
async def connecting(server: RawServer) -> AsyncIterator[Connecting]:
    """Makes pools to the server, with these limits."""
    made: list[Upstream] = []

    def to(
        url: str = "", tls: ssl.SSLContext | None = None, proxies: Proxies = NONE, **limits: Any
    ) -> Upstream:
        at = canonical_url(url or f"http://127.0.0.1:{server.port}/mcp")
        made.append(Upstream("s", at, tls=tls, proxies=proxies, limits=UpstreamLimits(**limits)))
        return made[-1]

    yield to
    for upstream in made:
        upstream.close()
    await asyncio.sleep(0.01)


def asked(upstream: Upstream, message: bytes = ASK) -> asyncio.Future[UpstreamAnswer]:
    async def exchange() -> UpstreamAnswer:
        return await upstream.exchange(message)

    return as_future(exchange())


async def failure(upstream: Upstream) -> tuple[CallStep, str]:
    with pytest.raises(UpstreamFailed) as failed:
        async with asyncio.timeout(5):
            await asked(upstream)
    return failed.value.step, str(failed.value)


async def test_a_connection_is_used_again(server: RawServer, connecting: Connecting) -> None:
    upstream = connecting()
    for _ in range(5):
        answer = await asked(upstream)
        assert (answer.status, answer.content_type, answer.body) == (200, b"application/json", b"{}")
    assert (server.connections, server.requests) == (1, 5)


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        ((OK[:10], OK[10:50], OK[50:]), b"{}"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), b"{}"),
        ((b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,), b"{}"),
        (
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"),
            b"{}",
        ),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",), b""),
    ],
)
async def test_an_answer_is_read_whole_however_it_comes(
    server: RawServer, connecting: Connecting, parts: tuple[bytes, ...], body: bytes
) -> None:
    server.talk = says(*parts, pause=0.001)
    upstream = connecting()
    assert [(await asked(upstream)).body for _ in range(2)] == [body, body]
    assert server.connections == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_an_answer_may_end_with_its_connection(
    server: RawServer, connecting: Connecting, head: bytes
) -> None:
    server.talk = says(head, b"{", b"}", close=True)
    upstream = connecting()
    assert [(await asked(upstream)).body for _ in range(2)] == [b"{}", b"{}"]
    assert server.connections == 2


async def test_a_connection_that_is_to_close_is_not_used_again(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    upstream = connecting()
    for _ in range(3):
        assert (await asked(upstream)).body == b"{}"
    assert server.connections == 3


async def test_an_idle_connection_that_the_server_closed_is_not_used_again(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(OK, close=True)
    upstream = connecting()
    for _ in range(3):
        assert (await asked(upstream)).body == b"{}"
        await asyncio.sleep(0.02)


NOT_HTTP = (CallStep.HTTP, "server s: its answer is not HTTP")
BAD_BODY = (CallStep.ANSWER, "server s: its answer is not HTTP")
CLOSED = (CallStep.ANSWER, "server s: it closed the connection before its answer was complete")


@pytest.mark.parametrize(
    ("talk", "failed"),
    [
        (says(b"<html>"), NOT_HTTP),
        (says(b"\x15\x03\x01"), NOT_HTTP),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"), NOT_HTTP),
        (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), BAD_BODY),
        (says(close=True), CLOSED),
        (says(OK[:-1], close=True), CLOSED),
        (says(OK[:20], close=True), CLOSED),
        (says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n", close=True), CLOSED),
        (says(OK + OK), (CallStep.ANSWER, "server s: it sent more than one answer")),
        (says(OK + b"x"), (CallStep.ANSWER, "server s: it sent more than one answer")),
        (stays_silent, (CallStep.TIMEOUT, "server s: no answer within 0.3 s")),
        (says(OK[:-1], pause=9), (CallStep.TIMEOUT, "server s: no answer within 0.3 s")),
        (
            says(b"HTTP/1.1 200 OK\r\nx: ", *([b"x" * 10_000] * 20)),
            (CallStep.ANSWER, "server s: the head of its answer is longer than 65536 bytes"),
        ),
        (
            says(b"HTTP/1.1 200 OK\r\n\r\n", *([b"x" * 10_000] * 20)),
            (CallStep.SIZE, "server s: its answer is longer than 100000 bytes"),
        ),
    ],
    ids=[
        "HTML", "TLS", "two lengths", "a bad chunk", "closes", "closes in the body", "closes in the head",
        "closes in a chunk", "two answers", "a byte too many", "silent", "silent in the body", "endless head",
        "endless body",
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_named_with_the_server(
    server: RawServer, connecting: Connecting, talk: Talk, failed: tuple[CallStep, str]
) -> None:
    server.talk = talk
    upstream = connecting(timeout=0.3, answer_bytes=100_000)
    async with asyncio.timeout(HANGS):
        assert await failure(upstream) == failed
    server.talk = says(OK)
    assert (await asked(upstream)).body == b"{}"
    assert server.connections == 2


async def test_an_answer_that_nobody_asked_for_is_never_the_next_ones(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(OK, OK.replace(b"{}", b"[]"), pause=0.02)
    upstream = connecting()
    for _ in range(3):
        assert (await asked(upstream)).body == b"{}"
        await asyncio.sleep(0.05)


async def test_cancelling_closes_the_connection(server: RawServer, connecting: Connecting) -> None:
    server.talk = stays_silent
    asking = asked(connecting())
    await asyncio.wait_for(server.asked.wait(), 1)
    asking.cancel()
    await asyncio.wait_for(server.left.wait(), 0.25)


async def test_only_so_many_connections_are_open_and_the_rest_wait_their_turn(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(b"", OK, pause=0.005)
    answers = await asyncio.gather(*(asked(upstream) for upstream in [connecting(connections=4)] * 40))
    assert [answer.body for answer in answers] == [b"{}"] * 40
    assert (server.connections, server.most_open) == (4, 4)


async def test_waiting_for_a_free_connection_ends_too(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(b"", OK, pause=0.25)
    upstream = connecting(connections=1, timeout=0.4)
    outcomes = await asyncio.gather(*(asked(upstream) for _ in range(3)), return_exceptions=True)
    assert "server s: no free connection within 0.4 s" in [str(outcome) for outcome in outcomes]


async def test_who_waits_behind_a_cancelled_call_goes_on(server: RawServer, connecting: Connecting) -> None:
    server.talk = stays_silent
    upstream = connecting(connections=1)
    first, second, third = asked(upstream), asked(upstream), asked(upstream)
    await asyncio.wait_for(server.asked.wait(), 1)
    server.talk = says(OK)
    second.cancel()
    first.cancel()
    assert (await asyncio.wait_for(third, 1)).body == b"{}"


async def test_all_who_wait_hear_at_once_that_nobody_listens(connecting: Connecting) -> None:
    upstream = connecting("http://127.0.0.1:1/mcp", connections=1)
    async with asyncio.timeout(HANGS):
        outcomes = await asyncio.gather(*(asked(upstream) for _ in range(5)), return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"server s: 127.0.0.1:1: connection refused"}


PRIVATE = "a private network: if it is meant, set private_network: true for it"


@pytest.mark.parametrize(
    ("url", "step", "message"),
    [
        ("http://127.0.0.1:1/mcp", CallStep.CONNECT, "127.0.0.1:1: connection refused"),
        (
            "https://10.255.255.1/mcp",
            CallStep.RESOLVE,
            f"10.255.255.1 is at 10.255.255.1, on {PRIVATE}",
        ),
        (
            "https://169.254.169.254/mcp",
            CallStep.RESOLVE,
            f"169.254.169.254 is at 169.254.169.254, on {PRIVATE}",
        ),
    ],
)
async def test_a_server_that_cannot_be_reached_is_named_with_the_cause(
    connecting: Connecting, url: str, step: CallStep, message: str
) -> None:
    assert await failure(connecting(url)) == (step, f"server s: {message}")


async def test_a_name_that_does_not_resolve(connecting: Connecting) -> None:
    step, message = await failure(connecting("https://nobody.invalid/mcp"))
    assert step is CallStep.RESOLVE
    assert message.startswith("server s: nobody.invalid does not resolve: ")


# streams


async def test_a_stream_comes_as_it_is_sent_and_frees_its_connection(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(EVENTS, b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n", pause=0.005)
    upstream = connecting()
    for _ in range(2):
        answer = await asked(upstream)
        assert answer.stream is not None
        assert b"".join([part async for part in answer.stream]) == b"onetwo"
    assert server.connections == 1


async def test_a_stream_that_is_closed_early_closes_its_connection(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(EVENTS, b"3\r\none\r\n", pause=0.2)
    answer = await asked(connecting())
    assert answer.stream is not None
    answer.stream.close()
    await asyncio.wait_for(server.left.wait(), 12)


async def test_a_stream_that_nobody_reads_stops_the_server(server: RawServer, connecting: Connecting) -> None:
    sent = 0

    async def eager(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(EVENTS)
        while sent < 50_000_000:
            writer.write(b"10000\r\n%s\r\n" % (b"x" * 65_536))
            await writer.drain()
            sent += 65_536
        writer.write(b"0\r\n\r\n")

    server.talk = eager
    answer = await asked(connecting())
    assert answer.stream is not None
    await asyncio.sleep(0.1)
    assert sent < 20_000_000
    assert sum([len(part) async for part in answer.stream]) == sent


async def test_who_reads_on_after_a_stream_ended_opens_no_sluice_of_the_next_one(
    server: RawServer, connecting: Connecting
) -> None:
    """The connection carries another call by then, whose reader may be behind."""
    upstream = connecting(connections=1)
    server.talk = says(EVENTS, b"30000\r\n%s\r\n0\r\n\r\n" % (b"x" * 0x30000))
    first = await asked(upstream)
    while upstream._busy:  # noqa: ASYNC110 - a connection sets no event
        await asyncio.sleep(0.01)
    server.talk = says(EVENTS, *[b"10000\r\n%s\r\n" % (b"x" * 0x10000)] * 20)
    second = await asked(upstream)
    [connection] = upstream._busy
    while not connection.paused:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert first.stream is not None
    assert second.stream is not None
    assert sum([len(part) async for part in first.stream]) == 0x30000
    assert connection.paused
    second.stream.close()


async def test_an_answer_that_came_before_its_request_was_sent_frees_no_connection(
    server: RawServer, connecting: Connecting
) -> None:
    """What follows would be read as the rest of it, or never."""

    async def answers_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.Event().wait()

    server.talk = answers_at_once
    upstream = connecting()
    size = 32_000_000
    head = b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size
    for connections in (1, 2):
        answer = await asked(upstream, head + b"x" * size)
        assert (answer.body, server.connections) == (b"{}", connections)


async def test_a_stream_that_breaks_off_says_so(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(EVENTS, b"3\r\none\r\n", close=True)
    answer = await asked(connecting())
    assert answer.stream is not None
    with pytest.raises(UpstreamFailed) as failed:
        [part async for part in answer.stream]
    assert (failed.value.step, str(failed.value)) == CLOSED


# what a hostile server sends

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD_TOO_LONG = "server s: the head of its answer is longer than 65536 bytes"
TOO_MANY_FIELDS = "server s: its answer has more than 200 header fields"
TOO_MUCH_BESIDES = "server s: what its answer has besides content is longer than 65536 bytes"


def field(size: int) -> bytes:
    return b"x: %s\r\n" % (b"x" * (size - 5))


async def read_whole(upstream: Upstream) -> None:
    stream = (await asked(upstream)).stream
    if stream is not None:
        [piece async for piece in stream]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 1_000_000, TOO_MANY_FIELDS),
        (b"HTTP/1.1 200 OK\r\n" + field(9000) * 100, HEAD_TOO_LONG),
        (b"HTTP/1.1 200 " + b"x" * 100_000, HEAD_TOO_LONG),
        (b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 201 + b"\r\n", TOO_MANY_FIELDS),
        (b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 201, TOO_MANY_FIELDS),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, HEAD_TOO_LONG),
        (CHUNKED + b"1;" + b"x" * 70_000, TOO_MUCH_BESIDES),
        (CHUNKED + (b"1;" + b"x" * 700 + b"\r\n{\r\n") * 1000, TOO_MUCH_BESIDES),
        (CHUNKED + b"1\r\n{\r\n0\r\n" + field(9000) * 100, TOO_MUCH_BESIDES),
        (CHUNKED + b"1\r\n{\r\n0\r\n" + b"a:b\r\n" * 1_000_000, TOO_MANY_FIELDS),
        (EVENTS + b"1;" + b"x" * 70_000, TOO_MUCH_BESIDES),
        (EVENTS + (b"1;" + b"x" * 700 + b"\r\n:\r\n") * 1000, TOO_MUCH_BESIDES),
        (EVENTS + b"1\r\n:\r\n0\r\n" + field(9000) * 100, TOO_MUCH_BESIDES),
        (EVENTS + b"1\r\n:\r\n0\r\n" + b"a:b\r\n" * 1_000_000, TOO_MANY_FIELDS),
    ],
    ids=[
        "head of 5 MB of one name", "head of 900 KB", "a long reason", "201 fields", "interim fields",
        "interim heads", "one chunk extension", "many chunk extensions", "trailers", "many trailers",
        "one chunk extension of a stream", "many chunk extensions of a stream", "trailers of a stream",
        "many trailers of a stream",
    ],
)  # fmt: skip
async def test_a_server_is_given_up_for_a_head_or_framing_without_end(
    server: RawServer, connecting: Connecting, answer: bytes, reason: str
) -> None:
    server.talk = says(answer)
    upstream = connecting()
    with pytest.raises(UpstreamFailed) as failed:
        await asyncio.wait_for(read_whole(upstream), HANGS)
    assert (failed.value.step, str(failed.value)) == (CallStep.ANSWER, reason)
    server.talk = says(OK)
    assert (await asked(upstream)).body == b"{}"


async def test_a_head_within_the_bounds_is_taken(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(OK.replace(b"\r\n\r\n", b"\r\n" + field(325) * 198 + b"\r\n"))
    upstream = connecting()
    assert [(await asked(upstream)).body for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 1


async def test_repeated_fields_are_joined_in_their_order_and_trailers_are_none(
    server: RawServer, connecting: Connecting
) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\na: early\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nA: 1\r\nb: 2\r\na: 3\r\na: 4\r\ntransfer-encoding: chunked\r\n\r\n"
    server.talk = says(early + head + b"2;x=y\r\n{}\r\n0\r\na: late\r\nwww-authenticate: late\r\n\r\n")
    answer = await asked(connecting())
    assert answer.headers == {b"a": b"1, 3, 4", b"b": b"2", b"transfer-encoding": b"chunked"}
    assert answer.body == b"{}"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nabc",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
    ],
)
async def test_a_101_of_a_server_is_a_typed_error(
    server: RawServer, connecting: Connecting, head: bytes
) -> None:
    server.talk = says(head)
    upstream = connecting()
    switched = (CallStep.ANSWER, "server s: it switched to another protocol (101), unasked")
    assert await failure(upstream) == switched
    server.talk = says(OK)
    assert (await asked(upstream)).body == b"{}"


async def test_an_offer_to_upgrade_is_no_fault(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(OK.replace(b"\r\n\r\n", b"\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"))
    assert (await asked(connecting())).body == b"{}"


async def test_a_body_in_chunks_of_two_bytes_costs_its_own_size(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(CHUNKED, b"2\r\n78\r\n" * 150_000, b"0\r\n\r\n")
    upstream = connecting()
    tracemalloc.start()
    try:
        answer = await asked(upstream)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.body == b"78" * 150_000
    assert held < 2_000_000


async def test_a_stream_in_chunks_of_two_bytes_that_nobody_reads_costs_its_own_size(
    server: RawServer, connecting: Connecting
) -> None:
    server.talk = says(EVENTS, b"2\r\n:\n\r\n" * 200_000, b"0\r\n\r\n")
    answer = await asked(connecting())
    assert answer.stream is not None
    tracemalloc.start()
    try:
        await asyncio.sleep(0.5)  # in which it sends all that is taken
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3_000_000
    assert sum([len(piece) async for piece in answer.stream]) == 400_000


@pytest.fixture
def no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's share of a turn is over as soon as it has begun, so that turns can be counted."""
    monkeypatch.setattr("ostiary.transport.upstream.loop_share.SHARE_SECONDS", 0)
    monkeypatch.setattr("ostiary.transport.upstream.answer.SHARE_SECONDS", 0)


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self.next = asyncio.get_running_loop().call_soon(self)


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    counting = Turns()
    counting()
    yield counting
    counting.next.cancel()


@pytest.mark.usefixtures("no_share")
async def test_a_long_answer_gives_way_to_others(
    server: RawServer, connecting: Connecting, turns: Turns
) -> None:
    server.talk = says(CHUNKED, *[b"8000\r\n%s\r\n" % (b"x" * 0x8000)] * 256, b"0\r\n\r\n")
    upstream = connecting()
    for _ in range(2):
        before = turns.count
        assert len((await asked(upstream)).body) == 8 * 1024 * 1024
        assert turns.count - before >= 256
    assert server.connections == 1


@pytest.mark.usefixtures("no_share")
async def test_a_stream_that_always_has_something_gives_way_to_others(
    server: RawServer, connecting: Connecting, turns: Turns
) -> None:
    server.talk = says(EVENTS, *[b"8000\r\n%s\r\n" % (b":\n" * 0x4000)] * 64, b"0\r\n\r\n")
    answer = await asked(connecting())
    assert answer.stream is not None
    await asyncio.sleep(0.1)
    before = turns.count
    assert sum([len(piece) async for piece in answer.stream]) == 2 * 1024 * 1024
    assert turns.count - before >= 1000


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.usefixtures("no_share")
async def test_what_follows_an_answer_of_whole_pieces_is_never_the_next_ones(
    server: RawServer, connecting: Connecting, pieces: int
) -> None:
    length = READ_AT_ONCE * pieces
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
    head %= length - len(head % length)
    server.talk = says(head + b"x" * (length - len(head)) + OK)
    upstream = connecting(connections=1)
    both = await asyncio.gather(asked(upstream), asked(upstream), return_exceptions=True)
    assert [str(failed) for failed in both] == ["server s: it sent more than one answer"] * 2


@pytest.mark.usefixtures("no_share")
async def test_many_connections_of_a_server_have_one_share_of_a_turn(
    server: RawServer, connecting: Connecting, turns: Turns
) -> None:
    server.talk = says(b"HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n", *[b"x" * 0x8000] * 32)
    upstream = connecting()
    before = turns.count
    answers = await asyncio.gather(*(asked(upstream) for _ in range(8)))
    assert [len(answer.body) for answer in answers] == [1024 * 1024] * 8
    assert turns.count - before >= 8 * 1024 * 1024 // READ_AT_ONCE


@pytest.mark.usefixtures("no_share")
async def test_a_long_answer_may_end_with_its_connection(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000, close=True)
    assert len((await asked(connecting())).body) == 3_000_000


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, `ca.pem`, and a server's for 127.0.0.1, `server.pem`."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("our CA", "server")
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    ca = _certificate(
        ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0), ca_name, ca_key
    )
    leaf = _certificate(name, key.public_key(), address, ca_name, ca_key)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca)
    (folder / "server.pem").write_bytes(leaf + private)
    return folder


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    extension: x509.ExtensionType,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> bytes:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(
        now + dt.timedelta(hours=1)
    )
    signed = builder.add_extension(extension, critical=True).sign(issuer_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
async def secure(authority: Path) -> AsyncIterator[RawServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")
    raw = RawServer()
    async with listening(raw, context):
        yield raw


async def test_a_certificate_of_a_trusted_authority_is_taken(
    secure: RawServer, connecting: Connecting, authority: Path
) -> None:
    tls = TrustSet(authority / "ca.pem").context
    upstream = connecting(f"https://127.0.0.1:{secure.port}/mcp", tls)
    assert [(await asked(upstream)).body for _ in range(2)] == [b"{}", b"{}"]
    assert secure.connections == 1


async def test_a_certificate_of_an_unknown_authority_is_refused(
    secure: RawServer, connecting: Connecting
) -> None:
    step, message = await failure(connecting(f"https://127.0.0.1:{secure.port}/mcp", TrustSet().context))
    assert step is CallStep.TLS
    where = f"server s: 127.0.0.1:{secure.port}"
    assert message.startswith(f"{where}: its certificate is from an authority that is not trusted here: ")
    assert secure.requests == 0


async def test_a_certificate_for_another_name_is_refused(
    secure: RawServer, connecting: Connecting, authority: Path
) -> None:
    tls = TrustSet(authority / "ca.pem").context
    step, message = await failure(connecting(f"https://localhost:{secure.port}/mcp", tls))
    assert (step, message) == (
        CallStep.TLS,
        (
            f"server s: localhost:{secure.port}: its certificate is for another name: "
            "write the URL with a name that it is for"
        ),
    )
    assert secure.requests == 0


async def test_a_server_without_tls_is_named(server: RawServer, connecting: Connecting) -> None:
    server.talk = says(b"HTTP/1.1 400 Bad Request\r\n\r\n", close=True)
    step, message = await failure(
        connecting(f"https://127.0.0.1:{server.port}/mcp", TrustSet().context, connect_timeout=0.5)
    )
    assert step in {CallStep.TLS, CallStep.CONNECT}
    assert message.startswith("server s: ")


# By a proxy


def by(proxy: HttpProxy, user: str = "user:tiger@") -> Proxies:
    named = f"http://{user}127.0.0.1:{proxy.port}"
    return proxies_of("environment", {"https_proxy": named, "http_proxy": named})


async def test_tls_with_the_server_goes_through_a_tunnel(
    server: RawServer, connecting: Connecting, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("server", names=[x509.DNSName("mcp.example.com")]))
    tls = TrustSet(authority.file).context
    async with listening(server, context), proxying(server.port) as proxy:
        upstream = connecting("https://mcp.example.com/mcp", tls, by(proxy))
        assert [(await asked(upstream)).body for _ in range(2)] == [b"{}", b"{}"]
        other = connecting("https://mcp.example.net/mcp", tls, by(proxy))
        step, message = await failure(other)
    assert (server.connections, server.requests) == (1, 2)
    assert step is CallStep.TLS
    named = f"by the proxy 127.0.0.1:{proxy.port} that https_proxy names"
    assert message.startswith(f"server s: mcp.example.net, {named}: its certificate is for another name: ")
    assert proxy.asked == ["CONNECT mcp.example.com:443 HTTP/1.1", "CONNECT mcp.example.net:443 HTTP/1.1"]
    assert "proxy-authorization: Basic dXNlcjp0aWdlcg==" in proxy.heads[0]
    assert not any(b"POST" in piece or b"tiger" in piece for piece in proxy.carried)


async def test_plain_http_to_another_machine_has_a_tunnel_too(
    server: RawServer, connecting: Connecting
) -> None:
    async with proxying(server.port) as proxy:
        upstream = connecting("http://mcp.example.com/mcp", None, by(proxy))
        assert (await asked(upstream)).body == b"{}"
    assert proxy.asked == ["CONNECT mcp.example.com:80 HTTP/1.1"]


async def test_a_server_on_this_machine_is_never_reached_by_a_proxy(
    server: RawServer, connecting: Connecting
) -> None:
    async with proxying(server.port) as proxy:
        assert (await asked(connecting("", None, by(proxy)))).body == b"{}"
    assert proxy.asked == []


async def test_a_proxy_that_does_not_connect_us_is_named_without_its_password(
    server: RawServer, connecting: Connecting
) -> None:
    url = "https://mcp.example.com/mcp"
    async with proxying(server.port, status=403) as proxy:
        step, message = await failure(connecting(url, TrustSet().context, by(proxy)))
    named = f"server s: the proxy 127.0.0.1:{proxy.port} that https_proxy names"
    assert (step, message) == (
        CallStep.CONNECT,
        f"{named} does not connect to mcp.example.com: it answered 403",
    )
    step, message = await failure(connecting(url, TrustSet().context, by(proxy)))
    assert (step, message) == (CallStep.CONNECT, f"{named} cannot be reached: connection refused")
    socks = proxies_of("environment", {"ALL_PROXY": "socks5://p"})
    step, message = await failure(connecting(url, TrustSet().context, socks))
    assert step is CallStep.CONNECT
    assert message.startswith(
        "server s: ALL_PROXY names a proxy of the kind socks5, which is not spoken here"
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"hello\r\n\r\n", "gave no answer that is HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 20_000, "gave no answer that is HTTP"),
        (
            b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK",
            "sent more than its answer before mcp.example.com was asked",
        ),
        (b"", "gave no answer that is HTTP"),
    ],
)
async def test_a_proxy_that_speaks_for_the_server_is_not_believed(
    server: RawServer, connecting: Connecting, said: bytes, why: str
) -> None:
    server.talk = says(said, close=True)
    named = f"http://127.0.0.1:{server.port}"
    rule = proxies_of("environment", {"http_proxy": named})
    step, message = await failure(connecting("http://mcp.example.com/mcp", None, rule))
    assert (step, message) == (
        CallStep.CONNECT,
        f"server s: the proxy 127.0.0.1:{server.port} that http_proxy names {why}",
    )


async def test_a_silent_proxy_is_not_waited_for(server: RawServer, connecting: Connecting) -> None:
    server.talk = stays_silent
    rule = proxies_of("environment", {"http_proxy": f"http://127.0.0.1:{server.port}"})
    step, message = await failure(connecting("http://mcp.example.com/mcp", None, rule, connect_timeout=0.2))
    named = f"by the proxy 127.0.0.1:{server.port} that http_proxy names"
    assert (step, message) == (
        CallStep.CONNECT,
        f"server s: no connection to mcp.example.com within 0.2 s, {named}",
    )
    await asyncio.wait_for(server.left.wait(), HANGS)
