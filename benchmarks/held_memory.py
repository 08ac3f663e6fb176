"""Measure what strangers and callers can make a gateway and an authorization server hold; prints a table.

Each shape is tried on a fresh `ostiary up`, by so many connections at once; what its memory grew by meanwhile
is the figure. Linux alone says how much that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
PATIENCE = 30.0
GATEWAY, AUTHSERVER = 18080, 19000
FILE = {
    "gateway": {
        "listen": f"127.0.0.1:{GATEWAY}",
        "inbound": [{"issuer": f"http://127.0.0.1:{AUTHSERVER}"}],
    },
    "authserver": {
        "listen": f"127.0.0.1:{AUTHSERVER}",
        "issuer": f"http://127.0.0.1:{AUTHSERVER}",
        "upstream_idps": [{"name": "corp", "issuer": "https://corp.example.com", "client_id": "ostiary"}],
        "resources": [
            {
                "resource": f"http://127.0.0.1:{GATEWAY}/mcp",
                "owner": "default/gateway",
                "scopes": ["mcp"],
                "idps": ["corp"],
            }
        ],
    },
    "storage": {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}},
}

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Shape:
    """What is done on each of so many connections."""

    name: str
    connections: int
    do: Callable[[Stream, int], Awaitable[None]]


def head(port: int, path: str, *lines: str, method: str = "POST") -> bytes:
    """A request's head."""
    text = "".join(f"{line}\r\n" for line in (f"Host: 127.0.0.1:{port}", *lines))
    return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode()


async def silent(_stream: Stream, _port: int) -> None:
    """A connection, and nothing else."""


async def half_head(stream: Stream, port: int) -> None:
    """A head of 30 KB that does not end."""
    stream[1].write(head(port, "/mcp", f"X-A: {'x' * 30_000}")[:-2])
    await stream[1].drain()


async def half_body(stream: Stream, port: int) -> None:
    """A body of which a byte is missing, as long as it may be, without a token."""
    length = 4 * MIB if port == GATEWAY else 64 * 1024
    path = "/mcp" if port == GATEWAY else "/oauth/token"
    kind = "application/json" if port == GATEWAY else "application/x-www-form-urlencoded"
    stream[1].write(head(port, path, f"Content-Type: {kind}", f"Content-Length: {length}"))
    with contextlib.suppress(OSError):
        for _ in range(length // 65536):
            stream[1].write(b"x" * 65535)
            await stream[1].drain()


async def trailers(stream: Stream, port: int) -> None:
    """Trailers, for as long as they are taken."""
    stream[1].write(head(port, "/mcp", "Transfer-Encoding: chunked") + b"0\r\n")
    with contextlib.suppress(OSError):
        for _ in range(60):
            stream[1].write(b"X-A: b\r\n" * 2000)
            await stream[1].drain()


async def unread(stream: Stream, port: int) -> None:
    """1.6 MB of requests, whose answers are not read."""
    path = "/.well-known/oauth-protected-resource/mcp" if port == GATEWAY else "/.well-known/jwks.json"
    stream[0]._transport.pause_reading()  # type: ignore[attr-defined]
    get = head(port, path, method="GET")
    stream[1].write(get * (1_600_000 // len(get)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await stream[1].drain()


SHAPES = (
    Shape("silent", 5000, silent),
    Shape("half a head of 30 KB", 3000, half_head),
    Shape("half a body without a token", 200, half_body),
    Shape("trailers without end", 50, trailers),
    Shape("1.6 MB of requests, answers unread", 100, unread),
)


@contextlib.asynccontextmanager
async def ostiary(directory: Path) -> AsyncIterator[int]:
    """`ostiary up`; gives its process number."""
    (directory / "ostiary.yaml").write_text(json.dumps(FILE))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostiary", "up"),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while b"The gateway answers at" not in await process.stdout.readline():
                pass
        yield process.pid
    finally:
        process.kill()
        await process.communicate()


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024


async def measure(shape: Shape, port: int) -> tuple[int, int]:
    """(what it held at most, connections that were still open then)."""
    with tempfile.TemporaryDirectory() as directory:
        async with ostiary(Path(directory)) as pid:
            before = most = resident(pid)
            async with contextlib.AsyncExitStack() as opened:
                streams = []
                for _ in range(shape.connections):
                    stream = await asyncio.open_connection("127.0.0.1", port, limit=2048)
                    opened.callback(stream[1].transport.abort)
                    streams.append(stream)
                doing = asyncio.gather(*(shape.do(stream, port) for stream in streams))
                while not doing.done():
                    await asyncio.sleep(0.05)
                    most = max(most, resident(pid))
                await asyncio.sleep(0.5)
                most = max(most, resident(pid))
                still_open = sum(not reader.at_eof() for reader, _ in streams)
    return most - before, still_open


def main() -> None:
    """Print the table."""
    print("| listener | shape | connections | held, MiB | of each, KiB |")
    print("|---|---|---|---|---|")
    for name, port in (("gateway", GATEWAY), ("authorization server", AUTHSERVER)):
        for shape in SHAPES:
            held, _ = asyncio.run(measure(shape, port))
            each = held / shape.connections / 1024
            print(
                f"| {name} | {shape.name} | {shape.connections} | {held / MIB:.0f} | {each:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
