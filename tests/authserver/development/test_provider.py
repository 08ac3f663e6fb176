"""The development identity provider: an OpenID provider like any other, but for who may reach it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from tests.authserver.conftest import Clock

from ostiary.authserver.development import DevelopmentIdp, OnlyClient, OnlyOnThisMachine
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.identity.key_set import read_key_set
from ostiary.oauth.client.id_token import check_id_token
from ostiary.oauth.client.pkce import s256
from ostiary.settings import Listen
from ostiary.transport.serving import bind

CALLBACK = "http://127.0.0.1:9000/oauth/callback/development"
CLIENT = OnlyClient("ostiary", "correct-horse-battery-staple", CALLBACK)
VERIFIER = "v" * 43
ASKED = {
    "response_type": "code",
    "client_id": CLIENT.client_id,
    "redirect_uri": CALLBACK,
    "scope": "openid profile email",
    "state": "abc",
    "nonce": "n-1",
    "code_challenge": s256(VERIFIER),
    "code_challenge_method": "S256",
}


@dataclass
class Provider:
    """One that runs, and a browser and a server that speak to it."""

    issuer: str
    http: httpx2.AsyncClient = field(repr=False)

    async def ask(self, **changes: str | None) -> httpx2.Response:
        """Open the page."""
        asked = {name: value for name, value in (ASKED | changes).items() if value is not None}
        return await self.http.get(f"/authorize?{urlencode(asked)}")

    async def choose(self, page: httpx2.Response, account: str) -> httpx2.Response:
        """Press a button of the page."""
        [csrf] = re.findall(r'name="csrf" value="([^"]+)"', page.text)
        return await self.http.post("/authorize", data={"csrf": csrf, "account": account})

    async def code(self, account: str = "alice") -> str:
        """Sign in; the code that the browser is sent on with."""
        return sent_on(await self.choose(await self.ask(), account))["code"]

    async def token(self, secret: str = CLIENT.client_secret, **form: str) -> httpx2.Response:
        """A token request."""
        return await self.http.post("/token", data=form, auth=(CLIENT.client_id, secret))

    async def redeem(self, code: str, **changes: str) -> httpx2.Response:
        """Redeem a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.token(**form | {"code_verifier": VERIFIER} | changes)


def sent_on(page: httpx2.Response) -> dict[str, str]:
    """What the browser carries to the callback."""
    [url] = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    return carried(url.replace("&amp;", "&"))


def carried(url: str) -> dict[str, str]:
    assert url.partition("?")[0] == CALLBACK
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[Provider]:
    idp = DevelopmentIdp(bind(Listen("127.0.0.1", 0)), CLIENT, clock=clock)
    async with idp.listening(), httpx2.AsyncClient(base_url=idp.issuer, trust_env=False) as http:
        yield Provider(idp.issuer, http)


async def test_alice_signs_in(provider: Provider, clock: Clock) -> None:
    page = await provider.ask()
    assert (page.status_code, page.headers["x-frame-options"]) == (200, "DENY")
    assert "not for real use" in page.text
    answer = sent_on(await provider.choose(page, "alice"))
    assert (answer["state"], answer["iss"]) == ("abc", provider.issuer)
    tokens = (await provider.redeem(answer["code"])).json()
    keys = read_key_set((await provider.http.get("/jwks")).json())
    claims = verify(read_jwt(tokens["id_token"]), keys)
    check_id_token(
        claims,
        issuers=[provider.issuer],
        client_id="ostiary",
        nonce="n-1",
        now=clock(),
        access_token=tokens["access_token"],
        alg="ES256",
    )
    assert (claims["sub"], claims["name"], claims["groups"]) == ("alice", "Alice", ["keepers", "visitors"])
    who = await provider.http.get("/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert who.json() == {
        "sub": "alice",
        "name": "Alice",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
        "groups": ["keepers", "visitors"],
    }


async def test_its_metadata_names_what_there_is(provider: Provider) -> None:
    metadata = (await provider.http.get("/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == provider.issuer
    for name, url in metadata.items():
        if name.endswith(("_endpoint", "jwks_uri")):
            method = "GET" if name in {"jwks_uri", "userinfo_endpoint", "authorization_endpoint"} else "POST"
            assert (await provider.http.request(method, url)).status_code != 404


async def test_a_refresh_token_gives_new_access_until_it_is_revoked(provider: Provider, clock: Clock) -> None:
    first = (await provider.redeem(await provider.code("bob"))).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    clock.advance(301)
    expired = {"authorization": f"Bearer {first['access_token']}"}
    assert (await provider.http.get("/userinfo", headers=expired)).status_code == 401
    second = (await provider.token(**refresh)).json()
    assert read_jwt(second["id_token"]).claims["sub"] == "bob"
    auth = (CLIENT.client_id, CLIENT.client_secret)
    await provider.http.post("/revoke", data={"token": first["refresh_token"]}, auth=auth)
    assert (await provider.token(**refresh)).json()["error"] == "invalid_grant"


async def test_a_code_is_good_once_and_for_a_minute(provider: Provider, clock: Clock) -> None:
    code = await provider.code()
    assert (await provider.redeem(code)).status_code == 200
    assert (await provider.redeem(code)).json()["error"] == "invalid_grant"
    late = await provider.code()
    clock.advance(61)
    assert (await provider.redeem(late)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9000/elsewhere"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"secret": "guessed"}, "invalid_client"),
    ],
)
async def test_a_bad_redemption_is_refused(provider: Provider, changes: dict[str, Any], error: str) -> None:
    assert (await provider.redeem(await provider.code(), **changes)).json()["error"] == error


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_a_bad_request_is_told_to_its_client(
    provider: Provider, changes: dict[str, str | None], error: str
) -> None:
    answer = await provider.ask(**changes)
    told = carried(answer.headers["location"])
    assert (answer.status_code, told["error"], told["state"]) == (303, error, "abc")


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "another"}, {"redirect_uri": "https://evil.example.com/"}, {"redirect_uri": None}],
)
async def test_a_stranger_is_sent_nowhere(provider: Provider, changes: dict[str, str | None]) -> None:
    answer = await provider.ask(**changes)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_a_page_is_answered_once_and_by_who_saw_it(provider: Provider) -> None:
    page = await provider.ask()
    await provider.choose(page, "alice")
    assert (await provider.choose(page, "bob")).status_code == 400
    forged = await provider.http.post("/authorize", data={"csrf": "guessed", "account": "alice"})
    assert forged.status_code == 400
    assert (await provider.choose(await provider.ask(), "mallory")).status_code == 400


async def test_another_host_name_does_not_lead_to_it(provider: Provider) -> None:
    rebound = await provider.http.get(
        "/.well-known/openid-configuration", headers={"host": "evil.example.com"}
    )
    assert rebound.status_code == 400


def test_it_listens_on_this_machine_alone() -> None:
    with bind(Listen("0.0.0.0", 0)) as sock, pytest.raises(OnlyOnThisMachine) as refused:
        DevelopmentIdp(sock, CLIENT)
    assert str(refused.value).startswith("the development identity provider does not listen on 0.0.0.0:")


def test_its_clients_secret_is_not_shown() -> None:
    assert "battery" not in repr(CLIENT)
