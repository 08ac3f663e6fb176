"""Hear the authorization server's answer on this machine. RFC 8252 section 7.3.

For the time of one sign-in, a port of the loopback interface waits for the person's browser to come back.
Whatever else knocks there, be it another page's script or an answer to another question, is turned away and
not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.oauth.client.authorization_response import belongs_to
from ostiary.transport.asked_ahead import is_asked_ahead

if TYPE_CHECKING:
    from ostiary.oauth.client.redirect_uri import LoopbackRedirect

HEAD_LIMIT = 32 * 1024
"""Bytes of a request's head. Codes are short, cookies of other programs on this host may not be."""
HEAD_TIMEOUT = 10.0
"""Seconds for a request's head."""

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Ostiary</title>'
    '<body style="font-family: system-ui; margin: 4em auto; max-width: 32em"><h1>{title}</h1><p>{text}</p>'
)
_HEADERS = (
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
    "Connection: close\r\n"
)


class RedirectPortTaken(Exception):
    """The port that the client is registered with is in use."""


class LoopbackListener:
    """Waits for one answer. redirect_uri: where the browser is to bring it."""

    def __init__(self, redirect: LoopbackRedirect, state: str) -> None:
        self._redirect = redirect
        self._state = state
        self._port = 0
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def redirect_uri(self) -> str:
        """The URI with the port that is listened on."""
        return self._redirect.at(self._port)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    async def answer(self) -> str:
        """The query string that the browser brought; it carries our state."""
        return await self._answer

    async def start(self, port: int) -> asyncio.Server:
        """Listen on this port; 0 takes any that is free. Raises RedirectPortTaken."""
        try:
            server = await asyncio.start_server(
                self._serve, self._redirect.bind_host, port, limit=HEAD_LIMIT, reuse_address=True
            )
        except OSError as error:
            raise RedirectPortTaken(
                f"port {port} of {self._redirect.bind_host} cannot be listened on: {error}"
            ) from None
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            async with asyncio.timeout(HEAD_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            query = self._query(head.decode("latin-1"))
            writer.write(_page(HTTPStatus.BAD_REQUEST if query is None else HTTPStatus.OK))
            await writer.drain()
            if query is not None and not self._answer.done():
                self._answer.set_result(query)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _query(self, head: str) -> str | None:
        """The query of a request that is the answer to our question; None for any other."""
        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        target = rest.partition(" ")[0]
        path, _, query = target.partition("?")
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        hosts = [value for name, value in fields if name == "host"]
        if method != "GET" or path != self._redirect.path or hosts != [f"{self._redirect.host}:{self._port}"]:
            return None
        if is_asked_ahead(dict(fields)):
            return None
        return query if belongs_to(query, state=self._state) else None


@contextlib.asynccontextmanager
async def listening(
    redirect: LoopbackRedirect, *, state: str, port: int = 0
) -> AsyncIterator[LoopbackListener]:
    """Listen while the block runs, on the redirect's own port, else on `port`. Raises RedirectPortTaken."""
    listener = LoopbackListener(redirect, state)
    server = await listener.start(redirect.port or port)
    try:
        yield listener
    finally:
        server.close()


def _page(status: HTTPStatus) -> bytes:
    if status is HTTPStatus.OK:
        text = _PAGE.format(
            title="Back to your terminal", text="The answer has arrived. You may close this page."
        )
    else:
        text = _PAGE.format(title="Nothing here", text="This page only takes the answer of a sign-in.")
    body = text.encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{_HEADERS}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
