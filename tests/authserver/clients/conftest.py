"""A site of the test's own, on which clients describe themselves."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.authserver.conftest import Clock, Server, basic_settings
from tests.peers.certificates import CertificateAuthority

from ostiary.authserver.clients import metadata_documents as documents

REDIRECT = "http://127.0.0.1/callback"


@dataclass
class Site:
    """An https site with one document; a test may change at any time what it answers."""

    origin: str
    authority: CertificateAuthority
    document: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"cache-control": "max-age=600"})
    body: bytes | None = None
    """Instead of the document."""
    keys: dict[str, Any] = field(default_factory=dict)
    """What /jwks.json says."""
    waits: asyncio.Event | None = None
    """What an answer waits for."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    """The path of each request."""

    @property
    def client_id(self) -> str:
        """The document's URL."""
        return f"{self.origin}/client.json"

    def settings(self, **more: Any) -> dict[str, Any]:
        """A configuration that lets documents be on this machine."""
        registration = {"documents_private_network": True, "documents_ca_file": str(self.authority.file)}
        return basic_settings(registration=registration | more)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Whatever the test says."""
        self.asked.append(request.path)
        self.reached.set()
        if self.waits is not None:
            await self.waits.wait()
        if request.path == "/jwks.json":
            return web.json_response(self.keys)
        body = json.dumps(self.document).encode() if self.body is None else self.body
        return web.Response(status=self.status, headers=self.headers, body=body)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
async def site(authority: CertificateAuthority) -> AsyncIterator[Site]:
    site = Site("", authority)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context()).start()
    site.origin = f"https://127.0.0.1:{runner.addresses[0][1]}"
    site.document = {
        "client_id": site.client_id,
        "client_name": "Zoo Keeper",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    yield site
    await runner.cleanup()


@dataclass
class Trap:
    """A port on this machine to which nothing should lead."""

    port: int
    reached: int = 0


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    trap = Trap(0)

    async def caught(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trap.reached += 1
        writer.close()

    server = await asyncio.start_server(caught, "127.0.0.1", 0)
    trap.port = server.sockets[0].getsockname()[1]
    yield trap
    server.close()


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make client.example lead to an address."""
    real = socket.getaddrinfo
    leads_to: list[str] = []

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        return real(leads_to[-1] if host == "client.example" else host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return leads_to.append


def audit(server: Server) -> list[dict[str, Any]]:
    """What the audit file has of clients, without times and addresses; the server made itself a key."""
    events = [json.loads(line) for line in server.audit_file.read_text().splitlines()]
    return [
        {name: value for name, value in event.items() if name not in {"time", "address"}}
        for event in events
        if event["event"] != "key_made"
    ]


__all__ = ["REDIRECT", "Clock", "Site", "Trap", "audit"]


@pytest.fixture
async def silence(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """Two ports that take connections and say nothing; every name below `.example` leads to this machine."""
    over = asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(documents, "TIMEOUT", 60.0)
    servers = [await asyncio.start_server(wait, "127.0.0.1", 0) for _ in range(2)]
    yield [server.sockets[0].getsockname()[1] for server in servers]
    over.set()
    for server in servers:
        server.close()
