"""Who signed in, told to a client that was granted `openid`: OpenID Connect Core 5.3, RFC 6750, RFC 9449."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey
from tests.authserver.agreed import claims_of, give_code, proof, redemption, settings, sign_in
from tests.authserver.conftest import SECRET, Clock, Server, Start

from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS

DPOP = f'DPoP algs="{" ".join(ALGORITHMS)}"'
PATH = "/oauth/userinfo"
SURROGATE = b'{"client_id": "\\ud800"}'
"""No character, and so no name of a client."""


async def ask(
    server: Server, authorization: str | None, method: str = "GET", **headers: str
) -> httpx2.Response:
    said = headers if authorization is None else {"authorization": authorization, **headers}
    return await server.http.request(method, server.issuer + PATH, headers=said)


async def openid(server: Server, *scopes: str) -> dict[str, Any]:
    return await sign_in(server, scopes=("openid", *scopes))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_hears_who_signed_in(start: Start, method: str) -> None:
    async with start(settings()) as server:
        token = (await openid(server, "profile", "email"))["access_token"]
        answered = await ask(server, f"Bearer {token}", method)
        subject = (await claims_of(server, token))["sub"]
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    assert answered.json() == {
        "sub": subject,
        "name": "Alice",
        "email": "alice@example.com",
        "email_verified": True,
    }


async def test_a_client_hears_no_more_than_its_scopes(start: Start) -> None:
    async with start(settings()) as server:
        token = (await openid(server, "email"))["access_token"]
        told = (await ask(server, f"bearer {token}")).json()
    assert told.keys() == {"sub", "email", "email_verified"}


async def test_without_a_token_it_says_how_to_come_back(start: Start) -> None:
    async with start(settings()) as server:
        for authorization in (None, "Basic YXBwOg=="):
            refused = await ask(server, authorization)
            assert refused.status_code == 401
            assert refused.headers.get_list("www-authenticate") == ["Bearer", DPOP]
            assert refused.content == b""


@pytest.mark.parametrize(
    ("token", "description"),
    [
        ("nothing", "the token is not a signed JWT"),
        ("a.b.c", "the token is malformed"),
        ("eyJhbGciOiJub25lIn0.e30.", "the token is not signed"),
    ],
)
async def test_what_is_no_token_is_refused_with_a_challenge(
    start: Start, token: str, description: str
) -> None:
    async with start(settings()) as server:
        refused = await ask(server, f"Bearer {token}")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == (
        f'Bearer error="invalid_token", error_description="{description}"'
    )
    assert refused.json() == {"error": "invalid_token", "error_description": description}


async def test_a_token_without_openid_lacks_a_scope(start: Start) -> None:
    async with start(settings()) as server:
        refused = await ask(server, f"Bearer {(await sign_in(server))['access_token']}")
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", error_description="the token lacks the scope openid", '
        'scope="openid"'
    )


async def test_an_id_token_is_no_access_token(start: Start) -> None:
    async with start(settings()) as server:
        refused = await ask(server, f"Bearer {(await openid(server))['id_token']}")
    assert refused.json() == {
        "error": "invalid_token",
        "error_description": "the token is not an access token: its typ is not at+jwt",
    }


async def test_a_revoked_and_an_expired_token_are_refused(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        revoked, expired = await openid(server), await openid(server)
        await server.post("/oauth/revoke", {"token": revoked["refresh_token"], "client_id": "app"})
        first = await ask(server, f"Bearer {revoked['access_token']}")
        clock.advance(900)
        second = await ask(server, f"Bearer {expired['access_token']}")
    assert (first.status_code, first.json()["error_description"]) == (401, "the token was revoked")
    assert (second.status_code, second.json()["error_description"]) == (401, "the token has expired")


async def test_a_bound_token_comes_with_its_key_and_never_as_a_bearer_token(
    start: Start, clock: Clock
) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    async with start(settings()) as server:
        code = await give_code(server, scopes=("openid",))
        redeemed = await server.token(redemption(code), headers=proof(server, key, now=clock()))
        token = redeemed.json()["access_token"]

        def proven(by: ECKey = key, method: str = "GET", of: str = token) -> dict[str, str]:
            return proof(server, by, now=clock(), method=method, path=PATH, access_token=of)

        good = proven()
        answers = [
            await ask(server, f"DPoP {token}", **good),
            await ask(server, f"DPoP {token}", **good),
            await ask(server, f"DPoP {token}", "POST", **proven(method="POST")),
            await ask(server, f"DPoP {token}", **proven(method="POST")),
            await ask(server, f"DPoP {token}", **proven(by=other)),
            await ask(server, f"DPoP {token}", **proven(of="another")),
            await ask(server, f"DPoP {token}"),
            await ask(server, f"Bearer {token}", **proven()),
        ]
    assert [answered.status_code for answered in answers] == [200, 401, 200, 401, 401, 401, 401, 401]
    assert [answered.json().get("error_description") for answered in answers] == [
        None,
        "the DPoP proof was used before; make a new one for each request",
        None,
        "the DPoP proof is for another method",
        "the token is bound to something else than what was proven",
        "the DPoP proof is for another access token",
        "a bound token needs exactly one DPoP header",
        "the token is bound to a key: send it as `DPoP`, with a proof of the key",
    ]
    assert answers[1].headers["www-authenticate"] == (
        f'{DPOP}, error="invalid_dpop_proof", '
        'error_description="the DPoP proof was used before; make a new one for each request"'
    )


async def test_a_bearer_token_cannot_be_passed_off_as_bound(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = (await openid(server))["access_token"]
        headers = proof(
            server,
            ECKey.generate_key("P-256"),
            now=clock(),
            method="GET",
            path=PATH,
            access_token=token,
        )
        refused = await ask(server, f"DPoP {token}", **headers)
    assert refused.json()["error_description"] == "the token is bound to no key: send it as `Bearer`"


async def test_a_client_s_own_token_speaks_of_nobody(start: Start) -> None:
    ci = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}
    async with start(settings(clients=[ci])) as server:
        answered = await server.token({"grant_type": "client_credentials"}, auth=("ci", SECRET))
        refused = await ask(server, f"Bearer {answered.json()['access_token']}")
    assert refused.status_code == 403


async def test_a_stranger_who_asks_without_end_is_told_to_wait_and_holds_up_no_client(start: Start) -> None:
    async with start(settings(limits={"token": "3/m"})) as server:
        token = f"Bearer {(await openid(server))['access_token']}"
        assert (await ask(server, token)).status_code == 200
        nameless = f"Bearer e30.{base64.urlsafe_b64encode(SURROGATE).rstrip(b'=').decode()}.x"
        tries = [None, "Bearer nothing", nameless, "Bearer nothing"]
        refused = [await ask(server, tried) for tried in tries]
        assert [answer.status_code for answer in refused] == [401, 401, 401, 429]
        assert 1 <= int(refused[-1].headers["retry-after"]) <= 21
        assert refused[-1].json()["error"] == "temporarily_unavailable"
        assert [(await ask(server, token)).status_code for _ in range(3)] == [200, 200, 429]
