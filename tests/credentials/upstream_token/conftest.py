"""A port for workloads, and callers of a gateway that asks there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.credentials.signed import Signer
from tests.credentials.upstream_token.little_port import LittlePort

from ostiary.certificates.settings import CaDirectory
from ostiary.credentials import UpstreamToken
from ostiary.credentials.headers.headers import CredentialHeaders, Headers, OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://github-mcp.example.com/mcp")
AUDIENCE = "https://mcp.example.com/mcp"


@dataclass
class MachineClock:
    """The machine's time, which TLS goes by, and as much ahead of it as the test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Callers:
    """Who calls the gateway, and what the server behind it is sent for them."""

    port: LittlePort
    runtime: Runtime
    clock: MachineClock
    issuer: Signer = field(default_factory=lambda: Signer("https://auth.example.com"))

    def attach(self, **settings: Any) -> CredentialHeaders:
        """The credential, as a gateway attaches it for server `github`."""
        values = {"provider": "hub", "server": "github", "token_url": canonical_url(self.port.token_url)}
        values |= {"certificates": self.port.certificates, **settings}
        return UpstreamToken(**values).attach(SERVER, runtime=self.runtime)

    def request(self, tsid: str | None = "session-1", **claims: Any) -> OutgoingRequest:
        """A call of somebody with this session."""
        issuer = claims.pop("issuer", self.issuer)
        said = {"aud": AUDIENCE, "client_id": "app"} | ({} if tsid is None else {"tsid": tsid}) | claims
        return OutgoingRequest("POST", SERVER, principal=issuer.principal(self.clock(), **said))


async def sent(headers: CredentialHeaders, request: OutgoingRequest) -> str:
    """The token that the server gets for this call, as the gateway asks for it."""
    ready = headers.ready(request)
    found = await headers.get(request) if ready is None else ready
    return found[0][1].removeprefix("Bearer ")


def refused(headers: CredentialHeaders, request: OutgoingRequest) -> bool:
    """The server would not have what is at hand."""
    found: Headers | None = headers.ready(request)
    assert found is not None
    return headers.refused(request, found, ServerRefusal(401))


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[LittlePort]:
    async with LittlePort(CaDirectory(tmp_path / "pki")).running() as port:
        yield port


@pytest.fixture
def machine_clock() -> MachineClock:
    return MachineClock()


@pytest.fixture
async def callers(port: LittlePort, machine_clock: MachineClock) -> AsyncIterator[Callers]:
    async with Runtime(clock=machine_clock) as runtime:
        yield Callers(port, runtime, machine_clock)
