"""One caller never has all connections to a server: others are answered meanwhile."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx2
from aiohttp import web
from tests.gateway.conftest import VISITOR, Caller, result

if TYPE_CHECKING:
    from tests.gateway.conftest import McpServer, Seen, StartGateway

    from ostiary.cloudrun.emulator import Emulator

PUBLIC = "https://mcp.example.com"
STREAM = ("tools/call", {"name": "s_stream"})
QUICK = ("tools/call", {"name": "s_quick"})


async def streams_or_answers(seen: Seen, request: web.Request) -> web.StreamResponse:
    """`stream` never ends, and says more than anybody holds; all else is answered at once."""
    if seen.body["params"].get("name") != "stream":
        return result(seen, {"tools": [], "ttlMs": 0, "cacheScope": "private"})
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    while True:
        await answer.write(b'data: {"jsonrpc":"2.0","method":"x","params":{"x":"%s"}}\n\n' % (b"x" * 0x4000))


async def open_unread(caller: Caller, server: McpServer, running: AsyncExitStack, many: int) -> None:
    """Open so many streams, read none of them, and go on when two have reached the server."""
    before = len(server.seen)
    for _ in range(many):
        opening = asyncio.create_task(running.enter_async_context(caller.streaming(*STREAM)))
        running.callback(opening.cancel)
    async with asyncio.timeout(10):
        while len(server.seen) < before + 2:  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)


async def test_as_many_unread_streams_as_a_server_has_connections_keep_no_other_principal_out(
    start_gateway: StartGateway, server: McpServer, google: Emulator
) -> None:
    server.reply = streams_or_answers
    caller = await start_gateway(
        url=PUBLIC,
        inbound=[{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}],
        servers={"s": {"url": server.url}},
        limits={"server_connections": 8, "caller_connections": 2},
    )
    caller.http.headers["host"] = "mcp.example.com"
    async with AsyncExitStack() as running:
        for greedy in ("1", "2"):
            caller.http.headers["authorization"] = f"Bearer {await signed(google, greedy)}"
            await open_unread(caller, server, running, 8)
        caller.http.headers["authorization"] = f"Bearer {await signed(google, 'another')}"
        async with asyncio.timeout(10):
            assert (await caller.ask(*QUICK)).status_code == 200
            listed = await caller.ask("tools/list")
        assert "unavailable" not in listed.text
        assert len([seen for seen in server.seen if seen.method == "tools/call"]) == 5


async def test_without_tokens_one_address_behind_a_proxy_of_ours_takes_no_share_of_another(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = streams_or_answers
    caller = await start_gateway(
        trusted_proxies=["127.0.0.0/8"],
        servers={"s": {"url": server.url}},
        limits={"server_connections": 8, "caller_connections": 2},
    )
    async with AsyncExitStack() as running:
        caller.http.headers["x-forwarded-for"] = "203.0.113.1"
        await open_unread(caller, server, running, 8)
        caller.http.headers["x-forwarded-for"] = "203.0.113.2"
        async with asyncio.timeout(10):
            assert (await caller.ask(*QUICK)).status_code == 200


async def test_without_tokens_an_address_has_the_share_and_hears_when_its_queue_is_full(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = streams_or_answers
    limits = {"server_connections": 8, "caller_connections": 2, "body_bytes": 400}
    greedy = await start_gateway(servers={"s": {"url": server.url}}, limits=limits)
    from_elsewhere = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx2.AsyncClient(transport=from_elsewhere) as http, AsyncExitStack() as running:
        await open_unread(greedy, server, running, 3)
        async with asyncio.timeout(10):
            refused = await greedy.ask(*QUICK)
            answered = await Caller(http, greedy.origin).ask(*QUICK)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"] == {
            "code": -32015,
            "message": "server s: too many of your calls are under way there; try again later",
        }
        assert answered.status_code == 200
        assert len(server.seen) == 3


async def signed(google: Emulator, subject: str) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": "https://accounts.google.com", "aud": f"{PUBLIC}/mcp", "sub": subject, "email": VISITOR,
        "email_verified": True, "iat": now, "exp": now + 3600,
    }  # fmt: skip
    async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
        return str((await http.post("/emulator/sign", json={"claims": claims})).json()["token"])
