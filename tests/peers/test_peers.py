"""The peers by themselves: when a test of ours fails, these tell whether it was a peer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Error as BrowserError
from tests.peers import keycloak
from tests.peers.browser import browser
from tests.peers.identity_provider import ALICE, BOB, IdentityProvider
from tests.peers.oidc_provider import idp as oidc_provider

RunningIdp = Callable[..., AbstractAsyncContextManager[IdentityProvider]]
IDPS: dict[str, RunningIdp] = {"oidc-provider": oidc_provider.running_idp, "keycloak": keycloak.running_idp}


@asynccontextmanager
async def callback() -> AsyncIterator[tuple[str, asyncio.Queue[dict[str, str]]]]:
    """The URL of a client's redirect endpoint, and the queue of the answers that arrive there."""
    answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def arrived(request: web.Request) -> web.Response:
        answers.put_nowait(dict(parse_qsl(request.query_string)))
        return web.Response(text="<h1>done</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/callback", arrived)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/callback", answers
    finally:
        await runner.cleanup()


class Flow:
    """The authorization code flow as a client without any library writes it."""

    def __init__(self, idp: IdentityProvider, redirect_uri: str, http: aiohttp.ClientSession) -> None:
        self._idp = idp
        self._redirect_uri = redirect_uri
        self._http = http
        self._verifier = secrets.token_urlsafe(32)
        self.state = secrets.token_urlsafe(8)

    async def discover(self) -> dict[str, Any]:
        async with self._http.get(f"{self._idp.issuer}/.well-known/openid-configuration") as answer:
            document: dict[str, Any] = await answer.json()
        assert document["issuer"] == self._idp.issuer
        return document

    def authorize_url(self, endpoint: str) -> str:
        challenge = hashlib.sha256(self._verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self._idp.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._idp.scopes),
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}?{urlencode(parameters)}"

    async def redeem(self, endpoint: str, code: str) -> tuple[int, dict[str, Any]]:
        return await self._token(
            endpoint,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": self._verifier,
            },
        )

    async def refresh(self, endpoint: str, token: str) -> tuple[int, dict[str, Any]]:
        return await self._token(endpoint, {"grant_type": "refresh_token", "refresh_token": token})

    async def user(self, endpoint: str, token: str) -> dict[str, Any]:
        async with self._http.get(endpoint, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
            claims: dict[str, Any] = await answer.json()
            return claims

    async def _token(self, endpoint: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        secret = {"client_id": self._idp.client_id, "client_secret": self._idp.client_secret}
        async with self._http.post(endpoint, data=form | secret) as answer:
            return answer.status, await answer.json()


@pytest.mark.parametrize("name", IDPS)
async def test_people_sign_in_at_an_identity_provider(name: str) -> None:
    async with (
        callback() as (redirect_uri, answers),
        IDPS[name]([redirect_uri], lifetime=60) as idp,
        browser() as chromium,
        aiohttp.ClientSession(trust_env=False) as http,
    ):
        for person in (ALICE, BOB):
            flow = Flow(idp, redirect_uri, http)
            endpoints = await flow.discover()
            page = await chromium.page()
            await page.goto(flow.authorize_url(endpoints["authorization_endpoint"]))
            await idp.sign_in(page, person.login)
            await page.get_by_text("done").wait_for()

            answer = answers.get_nowait()
            assert (answer["state"], answer["iss"]) == (flow.state, idp.issuer)
            status, tokens = await flow.redeem(endpoints["token_endpoint"], answer["code"])
            assert (status, tokens["expires_in"]) == (200, 60)
            claims = await flow.user(endpoints["userinfo_endpoint"], tokens["access_token"])
            assert {key: claims[key] for key in ("sub", "name", "email", "email_verified", "groups")} == {
                "sub": person.login,
                "name": person.name,
                "email": person.email,
                "email_verified": person.email_verified,
                "groups": list(person.groups),
            }

            status, renewed = await flow.refresh(endpoints["token_endpoint"], tokens["refresh_token"])
            assert status == 200
            assert renewed["refresh_token"] != tokens["refresh_token"]
            status, refused = await flow.refresh(endpoints["token_endpoint"], tokens["refresh_token"])
            assert (status, refused["error"]) == (400, "invalid_grant")


async def test_the_browser_leaves_this_machine_for_nobody_and_keeps_persons_apart() -> None:
    async with browser() as chromium, callback() as (url, _):
        one, other = await chromium.page(), await chromium.page()
        await one.goto(url)
        await one.evaluate("document.cookie = 'who=one'")
        await other.goto(url)
        assert (await other.evaluate("document.cookie"), await one.evaluate("document.cookie")) == (
            "",
            "who=one",
        )
        for elsewhere in ("http://example.com/", "http://192.0.2.7/"):
            with pytest.raises(BrowserError, match="ERR_CONNECTION_REFUSED"):
                await one.goto(elsewhere)
        assert urlsplit(other.url).path == "/callback"
