"""Bytes to the container and back, as they come; nobody waits for somebody who left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from ostiary.cloudrun.emulator import pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from ostiary.cloudrun.emulator.admission import RawHeaders

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
    }
    | {b"transfer-encoding", b"upgrade", b"expect"}
)
"""About one connection only (RFC 9110 section 7.6.1); Expect was answered by our listener."""
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that the client library would add; the container sees what the caller sent."""


def container_session(*, timeout: float) -> aiohttp.ClientSession:
    """The connections to one container. timeout: seconds until its answer has begun and ended."""
    return aiohttp.ClientSession(
        # Shorter than the five seconds after which servers usually close an idle connection.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=5),
        auto_decompress=False,
        skip_auto_headers=AUTOMATIC,
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
    )


class Passage:
    """One request on its way to the container, and the answer on its way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body_ended = asyncio.Event()
        self._client_is_gone = False
        self._answer_began = False

    async def travel(self, session: aiohttp.ClientSession, origin: str, headers: RawHeaders) -> None:
        """Carry both ways until the answer ends or the client leaves.

        Raises aiohttp.ClientError or TimeoutError while nothing was answered; later, the answer is cut off.
        """
        exchange = asyncio.create_task(self._exchange(session, origin, headers))
        departure = asyncio.create_task(self._watch_the_client())
        try:
            await asyncio.wait({exchange, departure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exchange.cancel()
            departure.cancel()
            await asyncio.wait({exchange, departure})
        if not exchange.cancelled() and not self._client_is_gone:
            self._report(exchange)

    async def _exchange(self, session: aiohttp.ClientSession, origin: str, headers: RawHeaders) -> None:
        request = session.request(
            self._scope["method"],
            URL(origin + _target(self._scope), encoded=True),
            headers=[
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in _end_to_end(headers)
            ],
            data=self._body() if _has_body(headers) else None,
            allow_redirects=False,
        )
        async with request as answer:
            raw = [(name.lower(), value) for name, value in answer.raw_headers]
            self._answer_began = True
            start = {"type": "http.response.start", "status": answer.status, "headers": _end_to_end(raw)}
            await self._send(start)
            async for chunk in answer.content.iter_any():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def _report(self, exchange: asyncio.Task[None]) -> None:
        error = exchange.exception()
        if error is not None and not self._answer_began:
            raise error

    async def _body(self) -> AsyncIterator[bytes]:
        more = True
        while more and not self._client_is_gone:
            message = await self._receive()
            self._client_is_gone = message["type"] == "http.disconnect"
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._body_ended.set()

    async def _watch_the_client(self) -> None:
        """Return when the client is gone. Only one of us may receive, so the request's body comes first."""
        if _has_body(self._scope["headers"]):
            await self._body_ended.wait()
        while not self._client_is_gone:
            self._client_is_gone = (await self._receive())["type"] == "http.disconnect"


async def pass_on(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    session: aiohttp.ClientSession,
    origin: str,
    headers: RawHeaders,
) -> str | None:
    """Let the container answer. Gives the reason when it did not, and the page for that was sent."""
    try:
        await Passage(scope, receive, send).travel(session, origin, headers)
    except TimeoutError:
        await pages.timed_out()(scope, receive, send)
        return "the container took too long"
    except aiohttp.ClientError as error:
        await pages.unavailable()(scope, receive, send)
        return f"the container does not answer: {type(error).__name__}"
    return None


def _end_to_end(headers: RawHeaders) -> RawHeaders:
    named = {
        name.strip().lower()
        for header, value in headers
        if header == b"connection"
        for name in value.split(b",")
    }
    return [(name, value) for name, value in headers if name not in HOP_BY_HOP and name not in named]


def _has_body(headers: RawHeaders) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)


def _target(scope: Scope) -> str:
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
