"""Answers that a server compresses: read within bounds, whether they were asked for or not."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
from aiohttp import web
from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway, result
from tests.gateway.test_programs import events

from ostiary.gateway.config import ServerSettings
from ostiary.transport.upstream.unpacked import WIDE_STREAMS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
CALL: tuple[str, dict[str, Any]] = ("tools/call", {"name": "s_x", "arguments": {}})
TEXT = "compressible " * 5000


@pytest.fixture
async def small(start_gateway: StartGateway, server: McpServer) -> Caller:
    """In front of a gateway that takes answers of a megabyte."""
    return await start_gateway(
        servers={"s": {"url": server.url, "compressed": True}}, limits={"answer_bytes": 1_000_000}
    )


def answering(server: McpServer, coding: str, *, kind: str = "application/json", **meta: Any) -> None:
    """Have the server answer so."""

    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        message = {"jsonrpc": "2.0", "id": seen.body["id"], "result": {"text": TEXT}}
        body = json.dumps(message).encode()
        if kind == "text/event-stream":
            body = b"data: %s\n\n" % body
        headers = {"content-type": kind, "content-encoding": coding}
        return web.Response(body=PACK[coding](body), headers=headers)

    server.reply = reply


@pytest.mark.parametrize("coding", PACK)
async def test_a_whole_answer_is_read(small: Caller, server: McpServer, coding: str) -> None:
    answering(server, coding)
    answer = await small.ask(*CALL)
    assert answer.json()["result"] == {"text": TEXT}
    assert "content-encoding" not in answer.headers
    assert server.seen[-1].header("accept-encoding") == "gzip, deflate, br, zstd"


@pytest.mark.parametrize("coding", PACK)
async def test_a_stream_is_read(small: Caller, server: McpServer, coding: str) -> None:
    answering(server, coding, kind="text/event-stream")
    [message] = events(await small.ask(*CALL))
    assert message["result"] == {"text": TEXT}


@pytest.mark.parametrize("coding", PACK)
async def test_the_connection_serves_the_next_call(small: Caller, server: McpServer, coding: str) -> None:
    answering(server, coding)
    ports = set()
    reply = server.reply

    async def noting(seen: Seen, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return await reply(seen, request)

    server.reply = noting
    for _ in range(3):
        assert (await small.ask(*CALL)).status_code == 200
    assert len(ports) == 1


@pytest.mark.parametrize("coding", PACK)
async def test_events_come_when_they_are_sent(small: Caller, server: McpServer, coding: str) -> None:
    """What a server flushes is not held back until there is more."""
    go_on = asyncio.Event()

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        headers = {"content-type": "text/event-stream", "content-encoding": coding}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        add, end = flushing(coding)
        await response.write(add(b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n'))
        await go_on.wait()
        message = json.dumps({"jsonrpc": "2.0", "id": seen.body["id"], "result": {}}).encode()
        await response.write(add(b"data: %s\n\n" % message) + end())
        return response

    server.reply = reply
    async with small.streaming(*CALL) as stream:
        lines = stream.aiter_lines()
        async for line in lines:
            if line.startswith("data:"):
                break
        assert "notifications/message" in line
        go_on.set()
        rest = [line async for line in lines if line.startswith("data:")]
    assert len(rest) == 1


def flushing(coding: str) -> Any:
    """What packs a piece so that all of it can be read, and what ends it."""
    if coding == "br":
        br = brotli.Compressor()
        return lambda piece: br.process(piece) + br.flush(), br.finish
    if coding == "zstd":
        zs = zstd.ZstdCompressor()
        return lambda piece: zs.compress(piece, mode=zs.FLUSH_BLOCK), zs.flush
    packer = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return lambda piece: packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH), packer.flush


@pytest.mark.parametrize("coding", PACK)
async def test_a_bomb_is_refused_and_costs_no_more_memory_than_an_answer(
    small: Caller, server: McpServer, coding: str
) -> None:
    bomb = PACK[coding](bytes(20_000_000))

    async def reply(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        headers = {"content-type": "application/json", "content-encoding": coding}
        return web.Response(body=bomb, headers=headers)

    server.reply = reply
    await small.ask(*CALL)
    tracemalloc.start()
    answer = await small.ask(*CALL)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "server s: its answer is longer than 1000000 bytes"
    assert most < 4_000_000


@pytest.mark.parametrize("coding", PACK)
async def test_a_bomb_in_a_stream_is_refused(small: Caller, server: McpServer, coding: str) -> None:
    bomb = PACK[coding](b"data: " + bytes(20_000_000))

    async def reply(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        headers = {"content-type": "text/event-stream", "content-encoding": coding}
        return web.Response(body=bomb, headers=headers)

    server.reply = reply
    [message] = events(await small.ask(*CALL))
    assert message["error"]["message"] == "server s: an event of its stream is too long"


async def test_while_a_bomb_is_unpacked_others_are_served(small: Caller, server: McpServer) -> None:
    bomb = gzip.compress(b"data: \n" + b":\n" * 5_000_000)

    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        if seen.body["params"]["name"] == "bomb":
            headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
            return web.Response(body=bomb, headers=headers)
        return result(seen, {})

    server.reply = reply
    bombed = asyncio.ensure_future(small.ask("tools/call", {"name": "s_bomb", "arguments": {}}))
    for _ in range(20):
        assert (await small.ask(*CALL)).status_code == 200
    bombed.cancel()


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_what_is_cut_off_is_refused(small: Caller, server: McpServer, coding: str, kind: str) -> None:
    async def reply(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        packed = PACK[coding](b'data: {"jsonrpc":"2.0","id":1,"method":"x"}\n\n' * 1000)[:-5]
        return web.Response(body=packed, headers={"content-type": kind, "content-encoding": coding})

    server.reply = reply
    answer = await small.ask(*CALL)
    last = answer.json() if kind == "application/json" else events(answer)[-1]
    assert last["error"]["message"] == "server s: its compressed answer ends before its end"


async def test_so_many_streams_may_hold_megabytes_each_and_no_more(small: Caller, server: McpServer) -> None:
    async def reply(_seen: Seen, request: web.Request) -> web.StreamResponse:
        headers = {"content-type": "text/event-stream", "content-encoding": "br"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        packer = brotli.Compressor()
        await response.write(packer.process(b": hello\n\n") + packer.flush())
        await asyncio.sleep(60)
        return response

    server.reply = reply
    open_ones = [small.streaming(*CALL) for _ in range(WIDE_STREAMS)]
    for one in open_ones:
        await one.__aenter__()
    refused = await small.ask(*CALL)
    assert "more than 16 of its streams are compressed by br: use gzip" in refused.text
    for one in open_ones:
        await one.__aexit__(None, None, None)
    answering(server, "br", kind="text/event-stream")
    [message] = events(await small.ask(*CALL))
    assert message["result"] == {"text": TEXT}


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"url": "http://127.0.0.1:1/mcp"}, False),
        ({"url": "https://mcp.example.com/mcp"}, True),
        ({"url": "https://mcp.example.com/mcp", "private_network": True}, False),
        ({"url": "https://mcp.example.com/mcp", "private_network": True, "compressed": True}, True),
        ({"url": "https://mcp.example.com/mcp", "compressed": False}, False),
    ],
)
def test_who_is_near_is_asked_for_plain_answers(settings: dict[str, Any], *, asked: bool) -> None:
    assert ServerSettings.model_validate(settings).may_compress is asked
