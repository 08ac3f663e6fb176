"""An authorization server with its port for workloads, and certificates of whatever kind."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.person import World, world, world_settings
from tests.peers.workload_authority import Leaf, WorkloadAuthority

from ostiary.oauth.client.token_exchange import GRANT_TYPE, TOKEN_TYPES
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind

DOMAIN = "ostiary.local"
GATEWAY = f"spiffe://{DOMAIN}/ns/default/mcpserver/gateway"
EARLY, LATE = -200 * 24 * 3600.0, 200 * 24 * 3600.0
"""Seconds from the clock's first moment: OpenSSL goes by the real time, which is another."""


@dataclass
class Inside:
    """The port, seen by a workload."""

    world: World
    port: int
    authority: WorkloadAuthority
    directory: Path
    gateway: Leaf = field(repr=False)

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def context(self, leaf: Leaf | None) -> ssl.SSLContext:
        """What a workload with this certificate speaks TLS with."""
        context = ssl.create_default_context(cafile=self.directory / "authority.pem")
        context.check_hostname = False  # the name of a workload is its SPIFFE ID
        if leaf is not None:
            files = self.directory / "leaf.pem", self.directory / "leaf.key"
            files[0].write_text(leaf.pem)
            files[1].write_text(leaf.key_pem)
            context.load_cert_chain(*files)
        return context

    @contextlib.asynccontextmanager
    async def workload(self, leaf: Leaf | None = None, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client with this certificate, or with the gateway's."""
        context = self.context(self.gateway if leaf is None else leaf)
        async with httpx2.AsyncClient(
            trust_env=False, verify=context, base_url=self.origin, **options
        ) as http:
            yield http

    async def exchange(self, token: str, leaf: Leaf | None = None, **form: str | None) -> httpx2.Response:
        """The gateway's request for the token of an account; None leaves a parameter out."""
        async with self.workload(leaf) as http:
            return await http.post("/internal/token-exchange", data=exchange_form(token, **form))


def exchange_form(token: str, **changes: str | None) -> dict[str, str]:
    """The form; None leaves a parameter out."""
    form: dict[str, str | None] = {
        "grant_type": GRANT_TYPE,
        "subject_token": token,
        "subject_token_type": TOKEN_TYPES["access_token"],
        "audience": "hub",
        "resource": "github",
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


def token_hash(token: str) -> str:
    """As `rejected_token_hash` has it."""
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


Inner = contextlib.AbstractAsyncContextManager[Inside]


@pytest.fixture
def authority(clock: Clock, tmp_path: Path) -> WorkloadAuthority:
    authority = WorkloadAuthority("Ostiary", clock(), begins=EARLY, ends=LATE)
    authority.write(tmp_path / "authority.pem")
    return authority


@pytest.fixture
async def inside(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> AsyncIterator[Inside]:
    """With servers `github`, which may have the hub's tokens, and `zoo`, which may have none."""
    async with opened(start, clock, authority, tmp_path) as one:
        yield one


@contextlib.asynccontextmanager
async def opened(
    start: Start,
    clock: Clock,
    authority: WorkloadAuthority,
    directory: Path,
    *,
    at: World | None = None,
    entry: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Inside]:
    """at: where it stood before, for one that starts again; entry: parts of the resource's entry;
    more: parts of the configuration, of which `internal` is merged."""
    server = authority.issue(GATEWAY.replace("gateway", "authserver"), begins=EARLY, ends=LATE)
    gateway = authority.issue(GATEWAY, begins=EARLY, ends=LATE)
    (directory / "server.pem").write_text(server.pem)
    (directory / "server.key").write_text(server.key_pem)
    with bind(Listen("127.0.0.1", 0)) as sock:
        port = address_of(sock).port
    certificates = {
        "certificate": "server.pem",
        "private_key": "server.key",
        "trust_bundle": "authority.pem",
    }
    internal = {"listen": f"127.0.0.1:{port}", "trust_domain": DOMAIN, "certificates": certificates}
    more["internal"] = internal | more.get("internal", {})
    more.setdefault("resources", [RESOURCE_ENTRY | (entry or {})])
    if at is None:
        async with world(start, clock, **more) as here:
            yield Inside(here, port, authority, directory, gateway)
    else:
        settings = world_settings(at.corp, at.hub) | more
        async with start(settings | {"issuer": at.server.issuer}) as again:
            yield Inside(replace(at, server=again), port, authority, directory, gateway)


RESOURCE_ENTRY = {
    "resource": RESOURCE,
    "owner": "default/gateway",
    "scopes": ["mcp"],
    "idps": ["corp", {"name": "hub", "use": "required"}],
    "servers": {"github": ["hub"], "zoo": [], "both": ["corp", "hub"]},
}
