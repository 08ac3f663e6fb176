"""A listener on loopback, and raw sockets to speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope, Send

from ostiary.settings import Listen
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer
from ostiary.transport.limits import Limits
from ostiary.transport.serving import address_of, bind, serving

HOST = "mcp.example.com"
JSON = "content-type: application/json\r\n"


class Somebody:
    """A proven caller."""

    identity = "somebody"
    client_id = "their-program"


@dataclass
class Behind:
    """What stands behind the listener: doors, and an ASGI app for all else. Notes what it was sent."""

    seen: list[str] = field(default_factory=list)
    heads: list[dict[bytes, bytes]] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, request: Request) -> Answer | StreamedAnswer:
        """A door that answers with the body it got; one that begins with `wait` when it may."""
        self.heads.append(request.headers)
        body = await request.whole()
        self.seen.append(body.decode())
        if body.startswith(b"wait"):
            try:
                await asyncio.ensure_future(self.let_go.wait())
            finally:
                if not self.let_go.is_set():
                    self.cancelled.set()
        if body.startswith(b"stream"):
            return StreamedAnswer(200, self.parts(), b"content-type: text/event-stream\r\n", self.closed.set)
        return Answer(200, body)

    async def by_head(self, request: Request) -> Answer:
        """A door that turns away by the head alone, and else answers with the body's length."""
        if request.headers.get(b"authorization") is None:
            return Answer(401, b"no")
        request.caller = Somebody()
        return Answer(200, b"%d" % len(await request.whole()))

    async def endless(self, request: Request) -> StreamedAnswer:
        """A door whose answer never ends."""

        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 10_000

        return StreamedAnswer(200, chunks(), b"", self.closed.set)

    async def method(self, request: Request) -> Answer:
        """A door that answers with the method."""
        return Answer(200, request.method)

    async def standing(self, request: Request) -> StreamedAnswer:
        """A door whose answer goes on until somebody leaves."""

        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            await self.let_go.wait()

        return StreamedAnswer(200, chunks(), b"", self.closed.set, is_standing=True)

    async def long(self, request: Request) -> Answer:
        """A door with a long answer, which counts its callers."""
        self.seen.append("long")
        return Answer(200, b"x" * 20_000)

    async def huge(self, request: Request) -> Answer:
        """A door whose answer no system takes at once."""
        return Answer(200, b"x" * 64_000_000)

    async def parts(self) -> AsyncIterator[bytes]:
        """A first part, and a last one when it may."""
        try:
            yield b"first"
            await self.let_go.wait()
            yield b"last"
        finally:
            if not self.let_go.is_set():
                self.cancelled.set()

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the path and the length of the body; `/wait` when it may.

        `/slow` begins to read when it may, `/unread` answers then without reading.
        """
        if scope["type"] != "http":
            return
        if scope["path"] == "/starlette":
            await StarletteRequest(scope, receive, send).body()
        if scope["path"] in {"/slow", "/unread"}:
            await self.let_go.wait()
        body = b""
        more = scope["path"] != "/unread"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            self.pieces.append(len(message.get("body", b"")))
            more = message.get("more_body", False)
        self.heads.append(dict(scope["headers"]))
        self.seen.append(scope["path"])
        if scope["path"] == "/wait":
            try:
                await self.let_go.wait()
            finally:
                if not self.let_go.is_set():
                    self.cancelled.set()
        text = f"{scope['path']} {len(body)}".encode()
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@dataclass
class Client:
    """One connection to the listener."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: str | bytes) -> None:
        for part in parts:
            self.writer.write(part.encode() if isinstance(part, str) else part)
        await self.writer.drain()

    async def answer(self) -> str:
        """The next answer: status, and body after a space."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(
                (line[16:] for line in head.split("\r\n") if line.startswith("content-length: ")), "0"
            )
            return f"{head.split(' ')[1]} {(await self.reader.readexactly(int(length))).decode()}"

    async def rest(self) -> bytes:
        """All until the listener closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


class Connect:
    """Opens connections that are closed when the test ends."""

    def __init__(self, port: int, running: AsyncExitStack) -> None:
        self.port = port
        self._running = running

    async def __call__(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._running.callback(writer.close)
        return Client(reader, writer)

    async def told(self, *parts: str | bytes) -> bytes:
        """What these bytes get, until the listener closes."""
        client = await self()
        await client.send(*parts)
        return await client.rest()


class StartListener:
    """Starts listeners that run until the test ends."""

    def __init__(self, behind: Behind, running: AsyncExitStack) -> None:
        self._behind = behind
        self._running = running
        self.listening = AsyncExitStack()
        """Closed, the listeners drain."""

    async def __call__(self, limits: Limits = Limits()) -> Connect:
        sock = bind(Listen("127.0.0.1", 0))
        listener = serving(
            self._behind.app,
            sock,
            limits=limits,
            hosts=frozenset({HOST}),
            doors={
                b"POST": {
                    b"/call": self._behind.call,
                    b"/by-head": self._behind.by_head,
                    b"/endless": self._behind.endless,
                    b"/long": self._behind.long,
                    b"/huge": self._behind.huge,
                },
                b"GET": {b"/document": self._behind.call, b"/standing": self._behind.standing},
                b"DELETE": {b"/call": self._behind.method},
            },
        )
        await self.listening.enter_async_context(listener)
        return Connect(address_of(sock).port, self._running)


@pytest.fixture(autouse=True)
def _overdue_is_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of tests are short; a listener looks at them once a second."""
    monkeypatch.setattr("ostiary.transport.serving.SWEEP_SECONDS", 0.05)


@pytest.fixture
async def behind() -> Behind:
    return Behind()


@pytest.fixture
async def start_listener(behind: Behind) -> AsyncIterator[StartListener]:
    async with AsyncExitStack() as running:
        start = StartListener(behind, running)
        running.push_async_exit(start.listening)
        yield start
        behind.let_go.set()


@pytest.fixture
async def connect(start_listener: StartListener) -> Connect:
    """To a listener with the usual limits."""
    return await start_listener()


def call(body: str, *headers: str) -> str:
    """A request to the door."""
    lines = "".join(f"{line}\r\n" for line in (f"Host: {HOST}", f"Content-Length: {len(body)}", *headers))
    return f"POST /call HTTP/1.1\r\n{lines}\r\n{body}"


def get(path: str, *headers: str) -> str:
    """A request that goes to ASGI."""
    lines = "".join(f"{line}\r\n" for line in (f"Host: {HOST}", *headers))
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n"
