"""The listener that a browser comes back to, RFC 8252 7.3."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from ostiary.credentials.oauth_user.loopback_redirect import LoopbackListener, RedirectPortTaken, listening
from ostiary.oauth.client.redirect_uri import LoopbackRedirect


@pytest.fixture
async def listener() -> AsyncIterator[LoopbackListener]:
    async with listening(LoopbackRedirect(), state="mine") as listener:
        yield listener


async def get(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as page:
        return page.status, await page.text()


async def test_the_answer_is_heard(listener: LoopbackListener) -> None:
    status, page = await get(f"{listener.redirect_uri}?code=abc&state=mine")
    assert (status, "Back to your terminal" in page) == (200, True)
    async with asyncio.timeout(5):
        assert await listener.answer() == "code=abc&state=mine"


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/callback?code=abc&state=theirs", None),
        ("/callback", None),
        ("/favicon.ico?state=mine", None),
        ("/callback?code=abc&state=mine", "evil.example.com"),
    ],
)
async def test_what_is_no_answer_is_turned_away_and_the_wait_goes_on(
    listener: LoopbackListener, path: str, host: str | None
) -> None:
    headers = {} if host is None else {"host": host}
    status, _ = await get(f"http://127.0.0.1:{listener.port}{path}", **headers)
    assert status == 400
    await get(f"{listener.redirect_uri}?code=good&state=mine")
    async with asyncio.timeout(5):
        assert await listener.answer() == "code=good&state=mine"


async def test_what_a_browser_fetches_ahead_is_no_answer(listener: LoopbackListener) -> None:
    url = f"{listener.redirect_uri}?code=ahead&state=mine"
    assert (await get(url, **{"sec-purpose": "prefetch;prerender"}))[0] == 400
    await get(f"{listener.redirect_uri}?code=good&state=mine")
    async with asyncio.timeout(5):
        assert await listener.answer() == "code=good&state=mine"


async def test_a_page_cannot_be_framed_or_kept(listener: LoopbackListener) -> None:
    async with aiohttp.ClientSession() as session, session.get(listener.redirect_uri) as page:
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_garbage_does_not_end_the_wait(listener: LoopbackListener) -> None:
    for garbage in (b"\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n", b"GET /" + b"x" * 100_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(garbage)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
    await get(f"{listener.redirect_uri}?code=good&state=mine")
    async with asyncio.timeout(5):
        assert await listener.answer() == "code=good&state=mine"


async def test_a_port_that_is_taken_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RedirectPortTaken, match=f"port {port} of 127.0.0.1 cannot be listened on: "):
            async with listening(LoopbackRedirect(), state="mine", port=port):
                pass
