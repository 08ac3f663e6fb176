"""An issuer with real keys, served on loopback, whose keys and clock the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey
from tests.clock import Clock

from ostiary.identity.key_sets import KeySets
from ostiary.transport.fetch import Fetcher


class Issuer:
    """Publishes `keys`, and signs with the first of them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: list[Key] = [ECKey.generate_key("P-256", {"kid": "first"})]
        self.requests: list[str] = []
        self.up = True
        self.answers = asyncio.Event()
        """Unset, requests hang until it is set."""
        self.answers.set()
        self.url = ""
        self.published: Any = None

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        await self.answers.wait()
        if not self.up:
            return web.Response(status=500)
        match request.path:
            case "/jwks":
                keys = {"keys": [key.as_dict(private=False) for key in self.keys]}
                return web.json_response(keys if self.published is None else self.published)
            case "/.well-known/openid-configuration":
                return web.json_response({"issuer": self.url, "jwks_uri": self.jwks_url})
        return web.Response(status=404)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock.now)
        claims = {
            "iss": self.url,
            "aud": "https://mcp.example.com/mcp",
            "sub": "ada",
            "iat": now,
            "exp": now + 3600,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, *, key: Key | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        key = key or self.keys[0]
        alg = "RS256" if isinstance(key, RSAKey) else "ES256"
        head: dict[str, Any] = {"alg": alg, "kid": key.kid} | (header or {})
        registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
        return jws.serialize_compact(head, json.dumps(self.claims(**changes)), key, registry=registry)


@pytest.fixture
async def issuer(clock: Clock) -> AsyncIterator[Issuer]:
    issuer = Issuer(clock)
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", issuer.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}"
    yield issuer
    issuer.answers.set()
    await runner.cleanup()


@pytest.fixture
def key_sets(clock: Clock) -> KeySets:
    return KeySets(Fetcher(), clock)
