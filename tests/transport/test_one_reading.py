"""What is checked is what is connected to: the guard, the request line and the library read one URL."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.fetch import Fetcher


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/mcp",
        "/a%2Bb",
        "/a%25b",
        "/a;b=c",
        "/a@b",
        "/@evil.example:80",
        "/%C3%A5",
        "/a//b",
        "/~a",
        "/a:b",
    ],
)
@pytest.mark.parametrize("query", [None, "a=1&b=%26", "u=https://evil.example/", "x=%2F%2e"])
async def test_fetcher_and_guard_see_one_host(path: str, query: str | None) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = canonical_url(f"http://127.0.0.1:{port}{path}" + ("" if query is None else f"?{query}"))
    assert await Fetcher().get_json(url) == {}
    server.close()
    await server.wait_closed()
    request_line, host, *_ = heads[0].decode().split("\r\n")
    assert request_line == f"GET {url.target} HTTP/1.1"
    assert host == f"Host: {url.authority}"
