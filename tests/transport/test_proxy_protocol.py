"""The header of the PROXY protocol: whose word it is, and what is none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from starlette.applications import Starlette
from tests.captured_events import captured_events
from tests.peers.certificates import CertificateAuthority

from ostiary.settings import Listen
from ostiary.transport import handshakes
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.inline_http import Answer, Request
from ostiary.transport.limits import Limits
from ostiary.transport.proxy_protocol import (
    LONGEST,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderRefused,
    read_proxy_header,
)
from ostiary.transport.serving import address_of, bind, serving

NAMED = TrustedProxies([ip_network("127.0.0.0/8")], announce=True)
OTHERS = TrustedProxies([ip_network("10.0.0.0/8")], announce=True)
LINE = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n"
REQUEST = b"POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def binary(
    source: str = "203.0.113.7", *, command: int = 0x21, family: int | None = None, more: bytes = b""
) -> bytes:
    """A header of version 2."""
    packed = ip_address(source).packed
    content = packed + packed + struct.pack("!HH", 56324, 443) + more
    family = (0x11 if len(packed) == 4 else 0x21) if family is None else family
    return SIGNATURE + struct.pack("!BBH", command, family, len(content)) + content


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (LINE, "203.0.113.7"),
        (b"PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "203.0.113.7"),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN 203.0.113.7 whatever\r\n", None),
        (binary(), "203.0.113.7"),
        (binary("2001:db8::1"), "2001:db8::1"),
        (binary(more=b"\x04\x00\x01x"), "203.0.113.7"),
        (binary(command=0x20), None),
        (SIGNATURE + b"\x20\x00\x00\x00", None),
        (binary(family=0x00), None),
    ],
)
def test_a_header_is_read_whole_and_not_a_byte_beyond(header: bytes, address: str | None) -> None:
    assert read_proxy_header(header + b"GET / HTTP/1.1") == ProxyHeader(len(header), address)
    assert {read_proxy_header(header[:end]) for end in range(len(header))} == {None}


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 203.0.113.7 10.0.0.1 1 2\r\n",
        b"PROXY  TCP4 203.0.113.7 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 1 65536\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n",
        b"PROXY TCP4 203.0.113.07 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n",
        b"PROXY TCP5 203.0.113.7 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\nGET / HTTP/1.1\r\n",
        b"PROXY UNKNOWN \x00\r\n",
        SIGNATURE + b"\x11\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x22\x11\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x11\x00\x0b" + b"x" * 11,
        SIGNATURE + b"\x21\x12\x00\x0c" + b"x" * 12,
        SIGNATURE + b"\x21\x31\x00\xd8" + b"x" * 216,
    ],
)
def test_a_malformed_header_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderRefused):
        read_proxy_header(header)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN " + b"x" * 93, SIGNATURE + b"\x21\x11\xff\xff"])
def test_an_oversize_header_is_refused_before_it_has_come(header: bytes) -> None:
    with pytest.raises(ProxyHeaderRefused, match="is longer than"):
        read_proxy_header(header)


async def who(request: Request) -> Answer:
    return Answer(200, request.peer.encode())


@contextlib.asynccontextmanager
async def listener(
    proxies: TrustedProxies, *, tls: ssl.SSLContext | None = None, limits: Limits = Limits()
) -> AsyncIterator[int]:
    sock = bind(Listen("127.0.0.1", 0))
    doors = {b"POST": {b"/who": who}}
    async with serving(Starlette(), sock, limits=limits, doors=doors, proxies=proxies, tls=tls):
        yield address_of(sock).port


async def told(port: int, *parts: bytes) -> bytes:
    """What these bytes get, until the listener closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(5):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("header", [LINE, binary(), binary(more=b"\x04\x08\x00" + b"x" * 2048)])
async def test_a_named_proxy_says_who_is_behind_it(header: bytes) -> None:
    async with listener(NAMED) as port:
        assert (await told(port, header + REQUEST)).endswith(b"\r\n\r\n203.0.113.7")
        assert (await told(port, header[:9], header[9:20], header[20:], REQUEST)).endswith(b"203.0.113.7")
        assert (await told(port, b"PROXY UNKNOWN\r\n" + REQUEST)).endswith(b"127.0.0.1")


async def test_behind_the_address_that_was_announced_no_header_counts() -> None:
    forged = REQUEST.replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: 192.0.2.1")
    async with listener(NAMED) as port:
        assert (await told(port, LINE + forged)).endswith(b"203.0.113.7")


async def test_a_spoofed_proxy_header_of_a_stranger_is_none() -> None:
    async with listener(OTHERS) as port:
        assert (await told(port, REQUEST)).endswith(b"127.0.0.1")
        assert (await told(port, LINE + REQUEST)).startswith(b"HTTP/1.1 400 ")


async def test_a_connection_of_a_named_proxy_without_a_header_is_refused_and_told() -> None:
    async with listener(NAMED) as port:
        with captured_events() as events:
            assert await told(port, REQUEST) == b""
        assert [(event["event"], event["address"]) for event in events] == [
            ("proxy_header_refused", "127.0.0.1")
        ]


async def test_a_slow_proxy_header_is_refused() -> None:
    async with listener(NAMED, limits=Limits(head_timeout=0.1)) as port:
        assert await told(port, LINE[:20]) == b""


async def test_proxy_headers_that_never_end_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 4)
    async with listener(NAMED) as port:
        dawdlers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in dawdlers:
            writer.write(LINE[:20])
        assert (await told(port, LINE + REQUEST)).endswith(b"203.0.113.7")
        for _, writer in dawdlers:
            writer.close()


async def test_whoever_only_looks_whether_somebody_listens_leaves_no_trace() -> None:
    async with listener(NAMED) as port:
        with captured_events() as events:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            assert (await told(port, LINE + REQUEST)).endswith(b"203.0.113.7")
        assert events == []


async def test_the_header_comes_before_tls(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    async with listener(NAMED, tls=authority.server_context()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(binary())
        await writer.start_tls(ssl.create_default_context(cafile=authority.file), server_hostname="127.0.0.1")
        writer.write(REQUEST)
        async with asyncio.timeout(5):
            assert (await reader.read()).endswith(b"203.0.113.7")
        writer.close()


def test_a_header_has_a_bound() -> None:
    padding = b"\x04\x10\x00" + b"x" * 4096
    assert len(binary(more=padding)) > LONGEST
    with pytest.raises(ProxyHeaderRefused, match="longer than 4096 bytes"):
        read_proxy_header(binary(more=padding))
