"""Handshakes that do not end keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from tests.peers.certificates import CertificateAuthority

from ostiary.settings import Listen
from ostiary.transport import handshakes
from ostiary.transport.inline_http import Answer, Request
from ostiary.transport.limits import Limits
from ostiary.transport.serving import address_of, bind, serving


async def door(request: Request) -> Answer:
    return Answer(200, await request.whole())


@contextlib.asynccontextmanager
async def listener(directory: Path, limits: Limits) -> AsyncIterator[tuple[int, CertificateAuthority]]:
    authority = CertificateAuthority(directory)
    sock = bind(Listen("127.0.0.1", 0))
    port = address_of(sock).port
    tls = authority.server_context()
    async with serving(Starlette(), sock, limits=limits, doors={b"POST": {b"/call": door}}, tls=tls):
        yield port, authority


async def call(port: int, authority: CertificateAuthority) -> bytes:

    context = ssl.create_default_context(cafile=authority.file)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"POST /call HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_handshakes_that_never_end_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 8)
    async with listener(tmp_path, Limits()) as (port, authority):
        dawdlers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
        assert (await call(port, authority)).endswith(b"hi")
        await asyncio.sleep(0.1)
        assert sum(reader.at_eof() for reader, _ in dawdlers) >= 22
        for _, writer in dawdlers:
            writer.close()


async def test_a_handshake_has_a_deadline(tmp_path: Path) -> None:
    async with listener(tmp_path, Limits(head_timeout=0.2)) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_what_is_no_tls_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with listener(tmp_path, Limits()) as (port, authority):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        assert (await call(port, authority)).endswith(b"hi")
    assert caplog.records == []
