"""Another issuer on loopback, with real keys: a company's identity provider, or a cluster."""

from __future__ import annotations

import base64
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

Clock = Callable[[], float]


class ForeignIssuer:
    """Publishes `keys`, and signs with the first of them. `up` and `published` are the test's to change."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: list[Key] = [new_key("first")]
        self.published: Any = None
        self.up = True
        self.requests: Counter[str] = Counter()
        self.url = ""
        self.token_endpoint: Callable[[web.Request], Awaitable[web.StreamResponse]] = _nothing

    @property
    def settings(self) -> dict[str, Any]:
        """What stands of it in `trusted_issuers:`, but for its use."""
        return {"issuer": self.url}

    def sign(
        self, claims: dict[str, Any], *, typ: str | None = "JWT", key: Key | None = None, **header: Any
    ) -> str:
        """A JWT of these claims; `iss`, `iat` and `exp` are this issuer's and now's, None leaves one out."""
        now = int(self.clock())
        whole = {"iss": self.url, "iat": now, "exp": now + 60} | claims
        named = {name: value for name, value in whole.items() if value is not None}
        return self.sign_text(json.dumps(named), typ=typ, key=key, **header)

    def sign_text(
        self, payload: str, *, typ: str | None = "JWT", key: Key | None = None, **header: Any
    ) -> str:
        """The same of a payload as it stands."""
        key = key or self.keys[0]
        alg = "RS256" if isinstance(key, RSAKey) else "ES256"
        whole = {"alg": alg, "kid": key.kid, "typ": typ} | header
        named = {name: value for name, value in whole.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[named["alg"]], strict_check_header=False)
        registry.max_header_length = 1 << 20
        return jws.serialize_compact(named, payload, key, registry=registry)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Metadata, keys, and whatever tokens a test has it give."""
        self.requests[request.path] += 1
        if not self.up:
            return web.Response(status=503)
        match request.path:
            case "/jwks":
                keys = {"keys": [key.as_dict(private=False) for key in self.keys]}
                return web.json_response(keys if self.published is None else self.published)
            case "/.well-known/openid-configuration":
                return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})
            case "/token":
                return await self.token_endpoint(request)
        return web.Response(status=404)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ForeignIssuer]:
        """On a port of its own."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=404)


def new_key(kid: str) -> ECKey:
    """A P-256 key."""
    return ECKey.generate_key("P-256", {"kid": kid})


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWT without its last part, dot included."""
    return f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims).encode())}."


def base64url(data: bytes) -> str:
    """As a JWT has it (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
