"""Tokens bound to a key that proves itself, RFC 9449."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.authserver.clients.signing import new_key, signed
from tests.authserver.conftest import SECRET, Clock, Server, Start, basic_settings

from ostiary.oauth.confirmation import jwk_thumbprint

FORM = {"grant_type": "client_credentials"}
KEY = new_key()
JWK = KEY.as_dict(private=False, kty="EC")


def proof(server: Server, clock: Clock, **claims: Any) -> str:
    """A proof for the token endpoint."""
    said = {"htm": "POST", "htu": f"{server.issuer}/oauth/token", "iat": clock(), "jti": "one"} | claims
    jwk = {name: JWK[name] for name in ("kty", "crv", "x", "y")}
    return signed(KEY, said, typ="dpop+jwt", jwk=jwk, kid=None)


async def ask(server: Server, dpop: str) -> httpx2.Response:
    return await server.token(FORM, auth=("ci", SECRET), headers={"dpop": dpop})


def said(answered: httpx2.Response) -> str:
    if answered.status_code == 200:
        return "ok"
    body = answered.json()
    assert (answered.status_code, body["error"]) == (400, "invalid_dpop_proof")
    return str(body["error_description"])


async def test_whoever_sends_a_proof_gets_a_token_for_its_key(start: Start, clock: Clock) -> None:
    async with start() as server:
        answered = (await ask(server, proof(server, clock))).json()
        keys = (await server.http.get(f"{server.issuer}/.well-known/jwks.json")).json()
    assert answered["token_type"] == "DPoP"
    token = jwt.decode(answered["access_token"], KeySet.import_key_set(keys), algorithms=["ES256"])
    assert token.claims["cnf"] == {"jkt": jwk_thumbprint(JWK)}


async def test_dpop_proof_replay(start: Start, clock: Clock) -> None:
    async with start() as server:
        first = said(await ask(server, proof(server, clock)))
        again = said(await ask(server, proof(server, clock, iat=clock() + 1)))
        other = said(await ask(server, proof(server, clock, jti="two")))
    assert first == other == "ok"
    assert again == "the DPoP proof was used before; make a new one for each request"


async def test_dpop_proof_for_another_endpoint(start: Start, clock: Clock) -> None:
    async with start() as server:
        answers = [
            said(await ask(server, proof(server, clock, htu="https://mcp.example.com/mcp"))),
            said(await ask(server, proof(server, clock, htm="GET"))),
        ]
    assert answers == ["the DPoP proof is for another URL", "the DPoP proof is for another method"]


@pytest.mark.parametrize(("seconds", "direction"), [(-301, "behind"), (31, "ahead of")])
async def test_dpop_proof_out_of_its_time(start: Start, clock: Clock, seconds: int, direction: str) -> None:
    async with start() as server:
        refused = said(await ask(server, proof(server, clock, iat=clock() + seconds)))
    assert refused == f"the DPoP proof's iat is {abs(seconds)} seconds {direction} our clock"


async def test_a_proof_is_not_spent_by_a_client_that_does_not_prove_itself(
    start: Start, clock: Clock
) -> None:
    async with start() as server:
        dpop = proof(server, clock)
        refused = await server.token(FORM, auth=("ci", "wrong"), headers={"dpop": dpop})
        assert said(await ask(server, dpop)) == "ok"
    assert refused.status_code == 401


async def test_two_proofs_are_refused(start: Start, clock: Clock) -> None:
    async with start() as server:
        headers = [("dpop", proof(server, clock)), ("dpop", proof(server, clock, jti="two"))]
        refused = await server.http.post(
            f"{server.issuer}/oauth/token", data=FORM, auth=("ci", SECRET), headers=headers
        )
    assert refused.json() == {
        "error": "invalid_request",
        "error_description": "the request has more than one dpop header",
    }


async def test_a_client_whose_tokens_are_all_bound_sends_a_proof(start: Start, clock: Clock) -> None:
    bound = {
        "client_id": "ci",
        "client_secret": SECRET,
        "grant_types": ["client_credentials"],
        "dpop_bound_access_tokens": True,
    }
    async with start(basic_settings(clients=[bound])) as server:
        without = said(await server.token(FORM, auth=("ci", SECRET)))
        with_one = said(await ask(server, proof(server, clock)))
    assert without == "this client's tokens are bound to a key: send a proof in a DPoP header"
    assert with_one == "ok"
