"""What is told of each request: answered, streamed, refused, left, by whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from tests.transport.conftest import HOST, Behind, Client, call, get

from ostiary.settings import Listen
from ostiary.transport.access_records import AccessRecord
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.limits import Limits
from ostiary.transport.serving import address_of, bind, serving


class Told(list[AccessRecord]):
    """All that was told."""

    @property
    def briefly(self) -> list[tuple[str, str, int | None, int, str | None]]:
        return [(one.method, one.path, one.status, one.bytes, one.client) for one in self]

    async def of(self, many: int) -> None:
        """Wait for so many."""
        async with asyncio.timeout(5):
            while len(self) < many:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def client(behind: Behind, told: Told) -> AsyncIterator[Client]:
    """A connection to a listener that tells."""
    sock = bind(Listen("127.0.0.1", 0))
    doors = {b"POST": {b"/call": behind.call, b"/by-head": behind.by_head}}
    listener = serving(
        behind.app,
        sock,
        limits=Limits(body_bytes=1000),
        hosts=frozenset({HOST}),
        doors=doors,
        proxies=TrustedProxies([ip_network("127.0.0.0/8")]),
        hear=told.append,
    )
    async with listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", address_of(sock).port)
        yield Client(reader, writer)
        writer.close()


async def test_calls_and_pages_are_told_without_their_queries(behind: Behind, told: Told) -> None:
    async with client(behind, told) as caller:
        await caller.send(
            call("hello", "X-Forwarded-For: 203.0.113.7").replace("/call", "/call?token=secret")
        )
        assert await caller.answer() == "200 hello"
        await caller.send(get("/page?token=secret"))
        assert await caller.answer() == "200 /page 0"
        await told.of(2)
    assert told.briefly == [("POST", "/call", 200, 5, None), ("GET", "/page", 200, 7, None)]
    assert [one.address for one in told] == ["203.0.113.7", "127.0.0.1"]
    assert all(0 < one.seconds < 5 for one in told)


async def test_a_caller_who_has_proven_who_they_are_is_named(behind: Behind, told: Told) -> None:
    async with client(behind, told) as caller:
        await caller.send(call("hello", "Authorization: x").replace("/call", "/by-head"))
        assert await caller.answer() == "200 5"
    assert told.briefly == [("POST", "/by-head", 200, 1, "their-program")]


async def test_a_stream_is_told_at_its_end_with_all_its_bytes(behind: Behind, told: Told) -> None:
    async with client(behind, told) as caller:
        await caller.send(call("stream"))
        await caller.reader.readuntil(b"first")
        assert told == []
        behind.let_go.set()
        await caller.reader.readuntil(b"0\r\n\r\n")
        await told.of(1)
    assert told.briefly == [("POST", "/call", 200, 9, None)]


async def test_whoever_leaves_before_the_answer_is_told(behind: Behind, told: Told) -> None:
    async with client(behind, told) as caller:
        await caller.send(call("wait"))
        async with asyncio.timeout(5):
            while not behind.seen:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        caller.writer.transport.abort()
        await told.of(1)
        behind.let_go.set()
    assert told.briefly == [("POST", "/call", None, 0, None)]


@pytest.mark.parametrize(
    ("request_", "record"),
    [
        ("nonsense\r\n\r\n", ("", "", 400)),
        ("POST /call HTTP/1.1\r\nHost: other\r\n\r\n", ("POST", "/call", 400)),
        (f"POST /call?a=b HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2000\r\n\r\n", ("POST", "/call", 413)),
    ],
)
async def test_what_is_refused_is_told(
    behind: Behind, told: Told, request_: str, record: tuple[str, str, int]
) -> None:
    async with client(behind, told) as caller:
        await caller.send(request_)
        assert await caller.rest()
    assert [(one.method, one.path, one.status) for one in told] == [record]
