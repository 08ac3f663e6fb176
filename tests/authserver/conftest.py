"""An authorization server on loopback, with a clock that is moved."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.loopback import TRUSTING_NOBODY

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind

RESOURCE = "https://mcp.example.com/mcp"
SECRET = "correct-horse-battery-staple-4711"


@dataclass
class Clock:
    """Seconds since the epoch, as the test says."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class Server:
    """A running authorization server, and a client of HTTP beside it."""

    server: AuthServer
    issuer: str
    http: httpx2.AsyncClient = field(repr=False)
    audit_file: Path

    async def post(self, path: str, form: dict[str, str], **options: Any) -> httpx2.Response:
        """A form to an endpoint."""
        return await self.http.post(self.issuer + path, data=form, **options)

    async def token(self, form: dict[str, str], **options: Any) -> httpx2.Response:
        """A token request."""
        return await self.post("/oauth/token", form, **options)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Server]]


def basic_settings(**more: Any) -> dict[str, Any]:
    """A configuration with one resource, one provider that is never reached, and one client."""
    return {
        "upstream_idps": [
            {
                "name": "corp",
                "issuer": "https://corp.example.com",
                "client_id": "ostiary",
                "client_secret": SECRET,
            }
        ],
        "resources": [
            {
                "resource": RESOURCE,
                "owner": "default/gateway",
                "scopes": ["mcp", "admin"],
                "default_scopes": ["mcp", "admin"],
                "idps": ["corp"],
            }
        ],
        "clients": [{"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}],
    } | more


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, clock: Clock, new_store: Path) -> Start:
    """Start a server with these settings on a free port; twice in one test, on the same store.

    storage: other than an SQLite file of the test's own.
    """

    shutil.copy(new_store, tmp_path)

    @contextlib.asynccontextmanager
    async def started(
        settings: dict[str, Any] | None = None, *, port: int = 0, storage: dict[str, Any] | None = None
    ) -> AsyncIterator[Server]:
        sock = bind(Listen("127.0.0.1", port))
        issuer = f"http://{address_of(sock)}"
        values = {"issuer": issuer, **(basic_settings() if settings is None else settings)}
        context = {"insecure_inline_secrets": True, "base_directory": tmp_path}
        checked = AuthServerSettings.model_validate(values, context=context)
        where = {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}} | (storage or {})
        stored = StorageSettings.model_validate(where, context=context)
        audit_file = tmp_path / "audit.jsonl"
        sockets = {"authserver.listen": sock} | {
            name: bind(listen) for name, listen in checked.listens.items() if listen is not checked.listen
        }
        with contextlib.ExitStack() as bound:
            for one in sockets.values():
                bound.enter_context(one)
            async with (
                AuthServer(checked, storage=stored, audit=audit_file, clock=clock) as server,
                answering(server.listeners(), sockets),
                httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY, follow_redirects=False) as http,
            ):
                below = canonical_url(checked.issuer).path  # the host may be another replica's
                yield Server(server, issuer + below, http, audit_file)

    return started
