"""What a token is worth now, for who may ask: RFC 7662."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
from tests.authserver.agreed import (
    APP,
    WEB,
    claims_of,
    give_code,
    proof,
    redemption,
    refresh,
    refusal,
    settings,
    sign_in,
)
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start

CALLBACK = WEB["redirect_uris"][0]
GATEWAY = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "resources": [RESOURCE],
}
"""A resource server: registered by the operator, for its resource by name."""
ELSEWHERE = GATEWAY | {"client_id": "elsewhere", "resources": ["https://mcp.example.com/other"]}
ANYTHING = {name: value for name, value in GATEWAY.items() if name != "resources"} | {"client_id": "any"}
INACTIVE = {"active": False}


def with_gateway() -> dict[str, Any]:
    values = settings(clients=[APP, WEB, GATEWAY, ELSEWHERE, ANYTHING])
    values["resources"].append(values["resources"][0] | {"resource": "https://mcp.example.com/other"})
    return values


async def introspect(server: Server, token: str, client: str = "gateway") -> dict[str, Any]:
    answered = await server.post("/oauth/introspect", {"token": token}, auth=(client, SECRET))
    assert answered.status_code == 200, answered.text
    assert answered.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answered.json()
    return body


async def web_tokens(server: Server) -> dict[str, Any]:
    code = await give_code(server, client_id="web", redirect_uri=CALLBACK)
    form = redemption(code, client_id=None, redirect_uri=CALLBACK)
    body: dict[str, Any] = (await server.token(form, auth=("web", SECRET))).json()
    return body


async def test_a_resource_server_hears_what_a_token_claims_but_for_its_session(start: Start) -> None:
    async with start(with_gateway()) as server:
        token = (await sign_in(server))["access_token"]
        told = await introspect(server, token)
        claims = await claims_of(server, token)
    del claims["tsid"]
    assert told == claims | {"active": True, "token_type": "Bearer"}


async def test_a_client_hears_of_its_own_tokens(start: Start) -> None:
    async with start(with_gateway()) as server:
        tokens = await web_tokens(server)
        of_access = await introspect(server, tokens["access_token"], "web")
        of_refresh = await introspect(server, tokens["refresh_token"], "web")
    assert of_access["active"] is True
    assert of_refresh == {
        "active": True,
        "token_type": "N_A",
        "iss": server.issuer,
        "sub": of_access["sub"],
        "client_id": "web",
        "scope": "mcp",
        "iat": 1_800_000_000,
        "exp": 1_802_592_000,
    }


async def test_to_everybody_else_every_token_looks_like_none(start: Start) -> None:
    async with start(with_gateway()) as server:
        tokens = await sign_in(server)
        assert await introspect(server, tokens["access_token"], "elsewhere") == INACTIVE
        assert await introspect(server, tokens["access_token"], "any") == INACTIVE
        assert await introspect(server, tokens["access_token"], "web") == INACTIVE
        assert await introspect(server, tokens["refresh_token"], "gateway") == INACTIVE
        assert await introspect(server, tokens["refresh_token"], "web") == INACTIVE


async def test_a_public_client_may_not_ask(start: Start) -> None:
    async with start(with_gateway()) as server:
        token = (await sign_in(server))["access_token"]
        refused = await server.post("/oauth/introspect", {"token": token, "client_id": "app"})
    assert refused.status_code == 401
    assert refused.json() == refusal(
        "only a client that proves who it is may ask about tokens", "invalid_client"
    )


async def test_an_expired_token_is_inactive(start: Start, clock: Clock) -> None:
    async with start(with_gateway()) as server:
        token = (await sign_in(server))["access_token"]
        clock.advance(899)
        assert (await introspect(server, token))["active"] is True
        clock.advance(1)
        assert await introspect(server, token) == INACTIVE


async def test_tokens_of_an_ended_session_are_inactive(start: Start) -> None:
    async with start(with_gateway()) as server:
        tokens = await web_tokens(server)
        await server.post("/oauth/revoke", {"token": tokens["refresh_token"]}, auth=("web", SECRET))
        assert await introspect(server, tokens["access_token"]) == INACTIVE
        assert await introspect(server, tokens["access_token"], "web") == INACTIVE
        assert await introspect(server, tokens["refresh_token"], "web") == INACTIVE


async def test_a_spent_refresh_token_is_inactive_and_asking_is_not_using(start: Start) -> None:
    async with start(with_gateway()) as server:
        first = (await web_tokens(server))["refresh_token"]
        assert (await introspect(server, first, "web"))["active"] is True
        renewed = await server.token(
            {"grant_type": "refresh_token", "refresh_token": first}, auth=("web", SECRET)
        )
        assert await introspect(server, first, "web") == INACTIVE
        assert (await introspect(server, renewed.json()["refresh_token"], "web"))["active"] is True


async def test_what_is_no_access_token_of_ours_is_inactive(start: Start) -> None:
    """An ID token, a token under a key of somebody else, with `alg` changed, and what is no token at all."""
    async with start(with_gateway()) as server:
        tokens = await sign_in(server, scopes=("mcp", "openid"))
        claims = await claims_of(server, tokens["access_token"])
        kid = (await server.http.get(f"{server.issuer}/.well-known/jwks.json")).json()["keys"][0]["kid"]
        theirs = ECKey.generate_key("P-256", {"kid": kid})
        forged = jwt.encode({"alg": "ES256", "kid": kid, "typ": "at+jwt"}, claims, theirs)
        head, payload, signature = tokens["access_token"].split(".")
        for token in (
            tokens["id_token"],
            forged,
            f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}.",
            f"{head}.{payload}.{signature[:-4]}AAAA",
            f"{head}.{payload}",
            "a.b.c",
            "nothing",
        ):
            assert await introspect(server, token) == INACTIVE


async def test_a_token_of_a_withdrawn_key_is_inactive_however_often_it_was_asked_about(start: Start) -> None:
    async with start(with_gateway()) as server:
        signing = server.server.services.signing
        token = (await sign_in(server))["access_token"]
        assert (await introspect(server, token))["active"] is True
        assert await signing.retire(signing.signer().kid)
        assert await introspect(server, token) == INACTIVE


async def test_a_bound_token_says_to_what(start: Start, clock: Clock) -> None:
    async with start(with_gateway()) as server:
        key = ECKey.generate_key("P-256")
        answered = await server.token(
            redemption(await give_code(server)), headers=proof(server, key, now=clock())
        )
        told = await introspect(server, answered.json()["access_token"])
    assert told["token_type"] == "DPoP"
    assert told["cnf"].keys() == {"jkt"}


async def test_a_refreshed_session_keeps_its_earlier_access_tokens(start: Start) -> None:
    async with start(with_gateway()) as server:
        tokens = await sign_in(server)
        await refresh(server, tokens["refresh_token"])
        assert (await introspect(server, tokens["access_token"]))["active"] is True
