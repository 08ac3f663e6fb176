"""Posts forms as fast as it goes, over mutual TLS where it is given a certificate, which `wrk` has none of.

A process of its own, so that it has a core of its own. Its standard input is the JSON of a `Posting`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Posting:
    """What is posted where. certificates: a folder of `tls.crt`, `tls.key`, `ca.crt`; None for plain HTTP."""

    port: int
    path: str
    forms: list[str]
    """Already encoded, posted in turn; without any, connections are made and closed."""
    connections: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    certificates: str | None = None
    connects_each_time: bool = False

    def as_json(self) -> str:
        """For the standard input."""
        return json.dumps(asdict(self))


class _Poster:
    def __init__(self, posting: Posting) -> None:
        self._posting = posting
        self._tls = None if posting.certificates is None else _context(posting.certificates)
        self._requests: Iterator[bytes] = itertools.cycle([_request(posting, form) for form in posting.forms])
        self.took: list[float] = []
        self.failed = 0

    async def run(self) -> None:
        ends = time.perf_counter() + self._posting.seconds
        await asyncio.gather(*(self._one_connection(ends) for _ in range(self._posting.connections)))

    async def _one_connection(self, ends: float) -> None:
        each_time = self._posting.connects_each_time
        streams = None if each_time else await self._connect()
        while (began := time.perf_counter()) < ends:
            reader, writer = streams or await self._connect()
            if self._posting.forms:
                writer.write(next(self._requests))
                self.failed += not await _is_answered(reader)
            self.took.append(time.perf_counter() - began)
            if each_time:
                writer.transport.abort()
        if streams is not None:
            streams[1].transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._posting.port, ssl=self._tls)


def _context(folder: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
    context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
    return context


def _request(posting: Posting, form: str) -> bytes:
    headers = {
        "host": f"127.0.0.1:{posting.port}",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(form)),
        **posting.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {posting.path} HTTP/1.1\r\n{lines}\r\n{form}".encode()


async def _is_answered(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head.startswith(b"HTTP/1.1 200")


def main() -> None:
    """Post, and print what was measured: seconds, and how many failed."""
    posting = Posting(**json.load(sys.stdin))
    poster = _Poster(posting)
    began = time.perf_counter()
    asyncio.run(poster.run())
    seconds = time.perf_counter() - began
    told = {"requests": len(poster.took), "seconds": seconds, "p50": statistics.median(poster.took)}
    print(json.dumps(told | {"failed": poster.failed}))


if __name__ == "__main__":
    main()
