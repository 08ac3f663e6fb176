"""An authorization server's port for workloads, over mutual TLS, that answers whatever a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from ostiary.certificates.authority import Authority, make_authority
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import CaDirectory, FileCertificates, InternalCaCertificates
from ostiary.certificates.tls import server_context
from ostiary.oauth.client.token_exchange import TOKEN_TYPES
from ostiary.oauth.client.upstream_exchange import session_hash

Reply = Callable[[dict[str, str]], web.Response]


class LittlePort:
    """One on loopback, and the authority of its clients. `reply` answers exchanges, and can be replaced."""

    def __init__(self, directory: CaDirectory) -> None:
        self.directory = directory
        self.authority: Authority = make_authority(directory, "ostiary.local", now=_now())
        self.reply: Reply = self.numbered
        self.lifetime: object = 3600
        self.forms: list[dict[str, str]] = []
        self.asked_after: list[str | None] = []
        """What the feed was asked after."""
        self.feed_status = 200
        self.feed_body: str | None = None
        """What the feed says instead."""
        self.reset = False
        """Whether the feed says next time that more may have ended."""
        self.hold: asyncio.Event | None = None
        """Where exchanges wait before they are answered."""
        self.names = ["127.0.0.1"]
        """What its certificate is for, beside its SPIFFE ID."""
        self.shown: FileCertificates | None = None
        """Its certificate, where it is none of the authority's."""
        self.port = 0
        self._told: list[list[str]] = []
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def token_url(self) -> str:
        return f"https://127.0.0.1:{self.port}/internal/token-exchange"

    @property
    def certificates(self) -> InternalCaCertificates:
        """Of its clients."""
        return InternalCaCertificates(source="internal_ca", directory=self.directory)

    def numbered(self, form: dict[str, str]) -> web.Response:
        """A new token, by its number."""
        return web.json_response(token(f"upstream-{len(self.forms)}", expires_in=self.lifetime))

    def end(self, *sessions: str) -> None:
        """Tell that these sessions ended."""
        self._told.append([session_hash(session) for session in sessions])
        self._news.set()

    @property
    def is_heard(self) -> bool:
        """Whether all that was told has been heard, and somebody listens for more."""
        return self.asked_after[-1:] == [str(len(self._told))]

    async def start(self) -> None:
        """Be there, at the port where it was before."""
        app = web.Application()
        app.router.add_post("/internal/token-exchange", self._exchange)
        app.router.add_get("/internal/revocations", self._revocations)
        source = open_certificates(
            self.shown or self.certificates, owner="default/authserver", names=self.names
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=server_context(source)).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be away: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[LittlePort]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()
            await asyncio.sleep(0.01)  # who was still in a handshake when it stopped is heard to hang up

    async def _exchange(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply(form)

    async def _revocations(self, request: web.Request) -> web.Response:
        after = request.query.get("after")
        self.asked_after.append(after)
        if self.feed_status != 200:
            return web.json_response({"error": "temporarily_unavailable"}, status=self.feed_status)
        if self.feed_body is not None:
            return web.Response(text=self.feed_body, content_type="application/json")
        if after is None:
            return web.json_response({"reset": True, "ended": [], "next": str(len(self._told))})
        while len(self._told) <= int(after):
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 25)
        ended = [session for told in self._told[int(after) :] for session in told]
        reset, self.reset = self.reset, False
        return web.json_response({"reset": reset, "ended": ended, "next": str(len(self._told))})


def token(value: str, **more: object) -> dict[str, Any]:
    """The body of a good answer."""
    body = {
        "access_token": value,
        "issued_token_type": TOKEN_TYPES["access_token"],
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    return {name: said for name, said in (body | more).items() if said is not None}


def refusing(error: str, status: int = 400, headers: dict[str, str] | None = None, **more: str) -> Reply:
    """Says no in the words of RFC 6749 section 5.2, and these."""
    return lambda form: web.json_response({"error": error, **more}, status=status, headers=headers)


def _now() -> float:
    import time  # noqa: PLC0415 - TLS goes by the machine's own

    return time.time()
