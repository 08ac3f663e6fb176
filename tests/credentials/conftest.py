"""Time that the test moves, and token sources that count."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.clock import Clock
from tests.credentials.little_google import PRIVATE_KEY, LittleGoogle
from tests.credentials.token_server import TokenServer
from tests.peers.certificates import CertificateAuthority

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.cache import TokenCache
from ostiary.credentials.tokens.token import Token
from ostiary.secrets import Secret


class CountingSource:
    """An issuer in memory: numbers its tokens, and can be down."""

    credential = "counting"
    endpoint = "https://mcp.example.com"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fetches = 0
        self.lifetime: float | None = 3600.0
        self.down = False

    async def fetch(self) -> Token:
        self.fetches += 1
        number = self.fetches
        await asyncio.sleep(0)
        if self.down:
            raise CredentialUnreachable(
                "it is down", credential=self.credential, endpoint=self.endpoint, fix="wait"
            )
        expires_at = None if self.lifetime is None else self.clock.now + self.lifetime
        return Token(Secret(f"token-{number}"), expires_at)


@pytest.fixture
def source(clock: Clock) -> CountingSource:
    return CountingSource(clock)


@pytest.fixture
async def cache(clock: Clock) -> AsyncIterator[TokenCache]:
    async with TokenCache(clock) as cache:
        yield cache


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime() as runtime:
        yield runtime


@pytest.fixture
async def issuer() -> AsyncIterator[TokenServer]:
    """A token server on loopback."""
    async with TokenServer().running() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server_tls(authority: CertificateAuthority) -> ssl.SSLContext:
    """For a server whose authority nobody knows by default."""
    return authority.server_context()


@pytest.fixture(scope="session")
def ec_key() -> str:
    """A P-256 key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
async def google() -> AsyncIterator[LittleGoogle]:
    google = LittleGoogle()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", google.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    google.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield google
    await runner.cleanup()


@pytest.fixture
def key_file(google: LittleGoogle, tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    key = {
        "type": "service_account",
        "client_email": "caller@demo.iam.gserviceaccount.com",
        "private_key_id": "k",
        "private_key": PRIVATE_KEY.decode(),
        "token_uri": f"{google.url}/token",
    }
    path.write_text(json.dumps(key))
    return path
