"""The peers by themselves: when a test of ours fails, these tell whether it was a peer."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from playwright.async_api import Error as BrowserError
from tests.conftest import IDPS, RunningIdp
from tests.peers.browser import browser
from tests.peers.certificates import CertificateAuthority
from tests.peers.client_metadata import published_client
from tests.peers.identity_provider import ALICE, BOB, IdentityProvider
from tests.peers.mcp_clients.callback import listening
from tests.peers.mcp_clients.client import age
from tests.peers.mcp_clients.clients import CLIENTS
from tests.peers.oidc_provider import idp as oidc_provider

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving


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


@pytest.mark.parametrize("running_idp", IDPS, indirect=True)
async def test_people_sign_in_at_an_identity_provider(running_idp: RunningIdp) -> None:
    async with (
        listening(0) as (redirect_uri, answers),
        running_idp([redirect_uri], lifetime=60) as idp,
        browser() as chromium,
        aiohttp.ClientSession(trust_env=False) as http,
    ):
        for person in (ALICE, BOB):
            flow = Flow(idp, redirect_uri, http)
            endpoints = await flow.discover()
            page = await chromium.page()
            await page.goto(flow.authorize_url(endpoints["authorization_endpoint"]))
            await idp.sign_in(page, person.login)
            await page.get_by_text("The client has its answer").wait_for()

            answer = answers.get_nowait()
            assert (answer["state"], answer["iss"]) == (flow.state, idp.issuer)
            status, tokens = await flow.redeem(endpoints["token_endpoint"], answer["code"])
            assert status == 200
            assert tokens["expires_in"] in {59, 60}  # a second may pass while it answers
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


async def test_the_browser_leaves_this_machine_for_nobody_and_keeps_persons_apart(tmp_path: Path) -> None:
    async with (
        browser() as chromium,
        listening(0) as (url, _),
        published_client(CertificateAuthority(tmp_path), []) as published,
    ):
        one, other = await chromium.page(), await chromium.page()
        await one.goto(url)
        await one.evaluate("document.cookie = 'who=one'")
        await other.goto(url)
        assert (await other.evaluate("document.cookie"), await one.evaluate("document.cookie")) == (
            "",
            "who=one",
        )
        await other.goto(published.url)
        await other.get_by_text("A published client").wait_for()
        for elsewhere in ("http://example.com/", "http://192.0.2.7/"):
            with pytest.raises(BrowserError, match="ERR_CONNECTION_REFUSED"):
                await one.goto(elsewhere)


class Verifier:
    """Takes the JWTs that an issuer made for one resource."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer = issuer
        self._resource = resource
        self.seen: list[str] = []

    async def verify_token(self, token: str) -> AccessToken | None:
        async with aiohttp.ClientSession() as http, http.get(f"{self._issuer}/jwks") as answer:
            keys = KeySet.import_key_set(await answer.json())
        try:
            claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            return None
        if (claims["iss"], claims["aud"]) != (self._issuer, self._resource):
            return None
        if token not in self.seen:
            self.seen.append(token)
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=claims["aud"],
        )


@asynccontextmanager
async def zoo_behind(issuer: str) -> AsyncIterator[tuple[str, Verifier]]:
    """An MCP server whose one tool is for those who signed in there."""
    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"
    verifier = Verifier(issuer, url)
    auth = AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": url,
            "required_scopes": ["mcp"],
            "validate_token_resource": True,
        }
    )
    server = MCPServer("zoo", token_verifier=verifier, auth=auth)

    @server.tool()
    def animals(species: str) -> str:
        return f"two {species}s"

    async with serving(server.streamable_http_app(), sock):
        yield url, verifier


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("registration", ["published", "dynamic"])
async def test_a_client_signs_in_calls_and_refreshes(name: str, registration: str, tmp_path: Path) -> None:
    client = CLIENTS[name]()
    authority = CertificateAuthority(tmp_path)
    store = tmp_path / "store"
    store.mkdir()
    opened: list[str] = []
    async with AsyncExitStack() as stack:
        idp = await stack.enter_async_context(
            oidc_provider.running_idp([], strangers=True, ca_file=authority.file)
        )
        url, verifier = await stack.enter_async_context(zoo_behind(idp.issuer))
        published = await stack.enter_async_context(published_client(authority, [client.redirect_uri]))
        page = await (await stack.enter_async_context(browser())).page()

        async def open_url(url: str) -> None:
            opened.append(url)
            await page.goto(url)
            await idp.sign_in(page, "alice")

        async def call() -> None:
            metadata = published.url if registration == "published" else None
            async with client.session(
                url, open_url=open_url, store=store, client_metadata_url=metadata
            ) as session:
                answer = await session.call("animals", {"species": "penguin"})
                assert answer["content"] == [{"type": "text", "text": "two penguins"}]

        await call()
        await call()
        assert (len(opened), len(verifier.seen)) == (1, 1)
        age(store)
        await call()
        assert (len(opened), len(verifier.seen)) == (1, 2)
        assert published.requests == (1 if registration == "published" else 0)


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_goes_wrong_in_the_browser_ends_the_session_of_a_client(name: str, tmp_path: Path) -> None:
    client = CLIENTS[name]()

    async def fails(url: str) -> None:
        raise LookupError(url)

    async with oidc_provider.running_idp([], strangers=True) as idp, zoo_behind(idp.issuer) as (url, _):
        with pytest.raises(LookupError, match=f"^{idp.issuer}/auth"):
            async with client.session(url, open_url=fails, store=tmp_path) as session:
                await session.call("animals", {"species": "penguin"})
