"""A proxy of the test's own, which leads everywhere to one port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class HttpProxy:
    """What it was asked for.

    status: what it answers to CONNECT; instead: what it says in place of that, before it hangs up.
    """

    there: int
    status: int = 200
    instead: bytes | None = None
    url: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Request lines."""
    heads: list[str] = field(default_factory=list)
    carried: list[bytes] = field(default_factory=list)
    """What came from clients, as it came."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode("latin-1"))
            line = head.decode("latin-1").partition("\r\n")[0]
            self.asked.append(line)
            if self.instead is not None:
                writer.write(self.instead)
                writer.write_eof()
                await reader.read()  # closed on what is unread it would be a reset, which says something else
            elif self.status != 200:
                writer.write(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self.status)
                await writer.drain()
                await reader.read()
            else:
                await self._lead(line, head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        self._tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def stop(self) -> None:
        """Leave nothing open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _lead(
        self, line: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        server, onward = await asyncio.open_connection("127.0.0.1", self.there)
        if line.startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            onward.write(head)
        both = [
            asyncio.create_task(self._copy(reader, onward, note=True)),
            asyncio.create_task(self._copy(server, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            onward.transport.abort()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if note:
                    self.carried.append(data)
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def proxying(
    there: int, *, status: int = 200, instead: bytes | None = None
) -> AsyncIterator[HttpProxy]:
    """A proxy to that port of this machine, whatever it is asked for."""
    proxy = HttpProxy(there, status, instead)
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    proxy.url = f"http://127.0.0.1:{proxy.port}"
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.stop()
