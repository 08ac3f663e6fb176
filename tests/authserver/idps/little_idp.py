"""An identity provider of the test's own: it behaves well, until the test changes something.

It rotates refresh tokens, and revokes the whole family when a spent one comes again, as careful providers do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey
from tests.peers.certificates import CertificateAuthority

CLIENT_ID = "ostiary"
CLIENT_SECRET = "correct-horse-battery-staple-4711"
PERSON = {
    "sub": "248289761001",
    "name": "Alice Adler",
    "preferred_username": "alice",
    "email": "alice@example.com",
    "email_verified": True,
}


@dataclass
class Family:
    """The refresh tokens that followed from one sign-in."""

    person: dict[str, Any]
    current: str = ""
    spent: set[str] = field(default_factory=set)
    revoked: bool = False


@dataclass
class LittleIdp:
    """What it says and does; a test may change all of it."""

    clock: Callable[[], float]
    url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What its metadata says else; None takes a member out."""
    person: dict[str, Any] = field(default_factory=lambda: dict(PERSON))
    """Whom it signs in."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What its ID tokens say else; None takes a claim out."""
    header: dict[str, Any] = field(default_factory=dict)
    """What their header says else."""
    forged: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    """Makes an ID token from its header and claims instead of signing it."""
    answer: dict[str, Any] = field(default_factory=dict)
    """What its token answers say else; None takes a member out."""
    status: int = 200
    """Of its token answers."""
    refuses_scopes: str | None = None
    """The error of its answer to a renewal that names scopes."""
    refuses: dict[str, Any] | None = None
    """What its token endpoint answers instead, with status 400."""
    raw: Callable[[], web.StreamResponse] | None = None
    """What its token endpoint answers instead of anything."""
    userinfo: bytes | None = None
    """What userinfo answers instead."""
    refuses_access_tokens: bool = False
    lifetime: int | None = 300
    rotates: bool = True
    mark: str = ""
    """What all its codes and tokens end with, to be found wherever they are left."""
    pauses: float = 0.0
    """Seconds that the token endpoint takes."""

    departures: list[dict[str, str]] = field(default_factory=list)
    """Authorization requests."""
    redeemed: list[dict[str, str]] = field(default_factory=list)
    """Token requests for codes."""
    renewed: list[dict[str, str]] = field(default_factory=list)
    """Token requests for refresh tokens."""
    asked_to_renew: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set by the first of them."""
    revoked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    """The Authorization headers of all back-channel requests."""
    paths: list[str] = field(default_factory=list)
    reuses: int = 0
    """How often a spent refresh token came."""
    families: list[Family] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key: ECKey | OKPKey = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})

    def approve(self, departure: str, **answer: str) -> bytes:
        """What the browser brings back from a departure; an empty value takes a parameter out."""
        asked = dict(parse_qsl(urlsplit(departure).query))
        self.departures.append(asked)
        code = f"code-{next(self._numbers)}{self.mark}"
        self._codes[code] = asked
        said = {"code": code, "state": asked["state"], "iss": self.url} | answer
        return urlencode({name: value for name, value in said.items() if value}).encode()

    def id_token(self, **claims: Any) -> str:
        """A signed one."""
        now = int(self.clock())
        said = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now}
        said |= self.person | claims | self.claims
        said = {name: value for name, value in said.items() if value is not None}
        header = {"alg": "ES256", "kid": "one", "typ": "JWT"} | self.header
        if self.forged is not None:
            return self.forged(header, said)
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # EdDSA is an old name
            return jws.serialize_compact(header, json.dumps(said), self.key, algorithms=[header["alg"]])

    def revoke_everything(self) -> None:
        """The person is gone."""
        for family in self.families:
            family.revoked = True

    async def describe(self, _: web.Request) -> web.Response:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "revocation_endpoint": f"{self.url}/revoke",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.metadata
        return web.json_response({name: value for name, value in said.items() if value is not None})

    async def sign_in(self, request: web.Request) -> web.Response:
        """For a real browser: whoever comes goes back signed in."""
        back = self.approve(str(request.url)).decode()
        location = f"{request.query['redirect_uri']}?{back}"
        return web.Response(status=302, headers={"location": location})

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.authorizations.append(request.headers.get("authorization"))
        (self.renewed if form["grant_type"] == "refresh_token" else self.redeemed).append(form)
        if self.renewed:
            self.asked_to_renew.set()
        await asyncio.sleep(self.pauses)
        if self.raw is not None:
            return self.raw()
        if self.refuses is not None:
            return web.json_response(self.refuses, status=400)
        if form["grant_type"] == "refresh_token":
            if self.refuses_scopes is not None and "scope" in form:
                said = {"error": self.refuses_scopes, "error_description": "scope parameter not supported"}
                return web.json_response(said, status=400)
            return self._renewed(form)
        return self._redeemed(form)

    def _redeemed(self, form: dict[str, str]) -> web.Response:
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if s256(form.get("code_verifier", "")) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.families.append(Family(dict(self.person)))
        return self._given(self.families[-1], asked.get("scope", ""), nonce=asked.get("nonce"))

    def _renewed(self, form: dict[str, str]) -> web.Response:
        sent = form["refresh_token"]
        for family in self.families:
            if sent in family.spent:
                self.reuses += 1
                family.revoked = True
            if sent == family.current and not family.revoked:
                return self._given(family, form.get("scope", ""))
        return web.json_response({"error": "invalid_grant"}, status=400)

    def _given(self, family: Family, scope: str, **claims: Any) -> web.Response:
        number = next(self._numbers)
        if self.rotates or not family.current:
            family.spent |= {family.current} - {""}
            family.current = f"refresh-{number}{self.mark}"
        said = {
            "access_token": f"access-{number}{self.mark}",
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": family.current,
            "scope": scope or None,
            "id_token": self.id_token(**claims),
        } | self.answer
        told = {name: value for name, value in said.items() if value is not None}
        return web.json_response(told, status=self.status)

    async def who(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("authorization"))
        if self.refuses_access_tokens:
            return web.json_response({"error": "invalid_token"}, status=401)
        if self.userinfo is not None:
            return web.Response(body=self.userinfo, content_type="application/json")
        return web.json_response(self.person)

    async def revoke(self, request: web.Request) -> web.Response:
        self.revoked.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response()


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@asynccontextmanager
async def little_idp(
    clock: Callable[[], float], *, authority: CertificateAuthority | None = None
) -> AsyncIterator[LittleIdp]:
    """One on a free port; with an authority, over https."""
    idp = LittleIdp(clock)

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        idp.paths.append(request.path)
        answer: web.StreamResponse = await handler(request)
        return answer

    app = web.Application(middlewares=[note])
    app.router.add_get("/.well-known/openid-configuration", idp.describe)
    app.router.add_get("/common/v2.0/.well-known/openid-configuration", idp.describe)
    app.router.add_get("/authorize", idp.sign_in)
    app.router.add_get("/jwks", idp.keys)
    app.router.add_post("/token", idp.token)
    app.router.add_get("/userinfo", idp.who)
    app.router.add_post("/revoke", idp.revoke)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    tls = None if authority is None else authority.server_context()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    idp.url = f"http{'' if tls is None else 's'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield idp
    finally:
        await runner.cleanup()
