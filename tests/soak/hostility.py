"""Everybody hostile at once, as a program of their own: one MCP server, one caller, many strangers.

It reads where to go from standard input as one line of JSON, says `ready`, and goes on until its standard
input ends. All that it does is paced: what is tried is what it makes others hold, not who has more cores.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MIB = 1024 * 1024
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


# the server


@dataclass(frozen=True)
class Asked:
    """A request that the hostile server got."""

    message: dict[str, Any]
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def send_json(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        await self.send(head, body)

    async def send_result(self, result: bytes) -> None:
        await self.send_json(
            b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (json.dumps(self.message["id"]).encode(), result)
        )


async def head_of_repeated_names(asked: Asked) -> None:
    await asked.send(b"HTTP/1.1 200 OK\r\n", *(b"a:b\r\n" * 1000 for _ in range(800)))


async def comment_and_then_bytes(asked: Asked) -> None:
    await asked.send(SSE, b":", *(b"x" * 65536 for _ in range(64)))
    for _ in range(500):
        await asked.send(b"x")
        await asyncio.sleep(0.001)


async def long_result(asked: Asked) -> None:
    item = b'{"type":"resource_link","name":"x","uri":"note://x"}'
    await asked.send_result(b'{"resultType":"complete","content":[%s]}' % b",".join([item] * 270_000))


async def other_protocol(asked: Asked) -> None:
    await asked.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")


async def trailers_without_end(asked: Asked) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    await asked.send(head, *(b"a: b\r\n" * 1000 for _ in range(700)))


async def extensions_without_end(asked: Asked) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    await asked.send(head, *(b"1;" + b"x" * 1000 + b"\r\n \r\n" for _ in range(4000)))


async def stream_without_end(asked: Asked) -> None:
    event = json.dumps(
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 10_000}}
    )
    await asked.send(SSE)
    for _ in range(2000):
        await asked.send(b"data: %s\n\n" % event.encode())


async def silent_stream(asked: Asked) -> None:
    await asked.send(SSE)
    await asyncio.sleep(5)


async def byte_by_byte(asked: Asked) -> None:
    for byte in (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n" + b" " * 100
    ):
        await asked.send(bytes([byte]))
        await asyncio.sleep(0.01)


async def list_without_end(asked: Asked) -> None:
    tool = json.dumps({"name": "x", "description": "d" * 2000, "inputSchema": {"type": "object"}})
    tools = ",".join(tool.replace('"x"', f'"x{number}"', 1) for number in range(3000))
    await asked.send_result(
        f'{{"resultType":"complete","tools":[{tools}],"nextCursor":"{secrets.token_hex(4)}"}}'.encode()
    )


TOOLS: Mapping[str, Callable[[Asked], Awaitable[None]]] = {
    tool.__name__: tool
    for tool in (
        head_of_repeated_names, comment_and_then_bytes, long_result, other_protocol, trailers_without_end,
        extensions_without_end, stream_without_end, silent_stream, byte_by_byte,
    )
}  # fmt: skip


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            message = json.loads(await reader.readexactly(length))
            asked = Asked(message, writer)
            if message["method"] == "tools/call":
                await TOOLS[message["params"]["name"]](asked)
                break
            if message["method"] == "tools/list":
                await list_without_end(asked)
    writer.close()


# the caller


async def call(port: int, token: str, method: str, name: str | None, patience: float) -> None:
    """Send one call, read a little of its answer, and leave."""
    params: dict[str, Any] = {"_meta": META}
    if name is not None:
        params |= {"name": name, "arguments": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, separators=(",", ":"))
    named = f"mcp-name: {name}\r\n" if name else ""
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nmcp-method: {method}\r\n"
        f"mcp-protocol-version: 2026-07-28\r\n{named}\r\n{body}"
    )
    async with connection(port) as (reader, writer):
        writer.write(head.encode())
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for _ in range(int(patience * 100)):
                    if not await reader.read(1000):
                        break
                    await asyncio.sleep(0.01)


async def hostile_caller(port: int, token: str, name: str) -> None:
    while True:
        await call(port, token, "tools/call", f"hostile_{name}", 3)
        await asyncio.sleep(0.5)


async def hostile_reader(port: int, token: str) -> None:
    """Streams that are opened and not read."""
    while True:
        await asyncio.gather(
            *(call(port, token, "tools/call", "hostile_stream_without_end", 0.001) for _ in range(20)),
            *(call(port, token, "tools/call", "hostile_silent_stream", 4) for _ in range(20)),
        )


async def lister(port: int, token: str) -> None:
    while True:
        await call(port, token, "tools/list", None, 5)
        await asyncio.sleep(1)


# strangers


@contextlib.asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One to this port; whatever happens to it is as it may be."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2048)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


def post(port: int, path: str, *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"Host: 127.0.0.1:{port}", *lines))
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode()


async def flood(port: int, begin: bytes, more: bytes, times: int, hold: float = 0.0) -> None:
    """Send the beginning and then the same again and again, until it is refused."""
    async with connection(port) as (_, writer):
        writer.write(begin)
        for _ in range(times):
            writer.write(more)
            async with asyncio.timeout(5):
                await writer.drain()
            await asyncio.sleep(0.002)
        await asyncio.sleep(hold)


async def endless_trailers(port: int, path: str) -> None:
    await flood(port, post(port, path, "Transfer-Encoding: chunked") + b"0\r\n", b"X-A: b\r\n" * 2000, 200)


async def endless_extensions(port: int, path: str) -> None:
    chunk = b"1;" + b"x" * 1000 + b"\r\nx\r\n"
    await flood(port, post(port, path, "Transfer-Encoding: chunked"), chunk * 16, 200)


async def half_bodies(port: int, path: str, length: int) -> None:
    begin = post(port, path, "Content-Type: application/json", f"Content-Length: {length}")
    pieces = max(1, length // 65536)
    await asyncio.gather(
        *(flood(port, begin, b"x" * min(65536, length - 1), pieces - 1 or 1, 4) for _ in range(40))
    )


async def tiny_chunks(port: int, path: str) -> None:
    await flood(port, post(port, path, "Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 2000, 100)


async def unread_answers(port: int, path: str) -> None:
    get = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    async with connection(port) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(get * 10_000)
        await asyncio.sleep(5)


async def half_heads(port: int, path: str) -> None:
    begin = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-A: ".encode()
    await asyncio.gather(*(flood(port, begin, b"x" * 10_000, 2, 5) for _ in range(100)))


async def silence(port: int, _path: str) -> None:
    async with contextlib.AsyncExitStack() as open_ones:
        for _ in range(200):
            await open_ones.enter_async_context(connection(port))
        await asyncio.sleep(4)


async def made_up_tokens(port: int, path: str) -> None:
    """JWTs of the issuer that is believed, with keys that it never had."""
    for _ in range(50):
        header = json.dumps({"alg": "RS256", "kid": secrets.token_hex(8)})
        claims = json.dumps({"iss": "https://accounts.google.com", "sub": secrets.token_hex(8)})
        token = ".".join(b64(part.encode()) for part in (header, claims, "x" * 256))
        lines = (f"Authorization: Bearer {token}", "Content-Type: application/json", "Content-Length: 2")
        await flood(port, post(port, path, *lines) + b"{}", b"", 1, 0.02)


async def made_up_clients(port: int, _path: str) -> None:
    for _ in range(50):
        form = f"grant_type=client_credentials&client_id={secrets.token_hex(8)}&client_secret=x"
        lines = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}")
        await flood(port, post(port, "/oauth/token", *lines) + form.encode(), b"", 1, 0.02)


async def registrations(port: int, _path: str) -> None:
    for _ in range(20):
        body = json.dumps({"redirect_uris": ["http://127.0.0.1/cb"], "client_name": secrets.token_hex(8)})
        lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        await flood(port, post(port, "/oauth/register", *lines) + body.encode(), b"", 1, 0.02)


STRANGERS = (
    endless_trailers, endless_extensions, tiny_chunks, unread_answers, half_heads, silence, made_up_tokens,
)  # fmt: skip


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def again(deed: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            await deed(*arguments)
        await asyncio.sleep(0.5)


async def main() -> None:
    aim = json.loads(sys.stdin.readline())
    server = await asyncio.start_server(answer, "127.0.0.1", aim["server_port"])
    deeds = [
        *(hostile_caller(aim["gateway"], aim["token"], name) for name in TOOLS),
        hostile_reader(aim["gateway"], aim["token"]),
        lister(aim["gateway"], aim["token"]),
        *(again(made, aim["authserver"], "") for made in (made_up_clients, registrations)),
    ]
    for port, path, length in aim["listeners"]:
        deeds += [again(stranger, port, path) for stranger in STRANGERS]
        deeds.append(again(half_bodies, port, path, length))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(deed) for deed in deeds]
    over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait({*tasks, over}, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.close()
    for task in done - {over}:
        task.result()


if __name__ == "__main__":
    asyncio.run(main())
