"""Tokens bound to a key, RFC 9449: proofs at the token endpoint and at the server, with nonces of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import extract_compact
from tests.clock import Clock
from tests.credentials.token_server import TokenServer, refusing

from ostiary.credentials import ClientCredentials, CredentialError
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import token_hash

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)


def proven(proof: str) -> dict[str, Any]:
    """The claims of a proof whose signature is good."""
    header = extract_compact(proof.encode()).headers()
    assert set(header) == {"typ", "alg", "jwk"}
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
    assert "d" not in header["jwk"]
    return dict(jwt.decode(proof, ECKey.import_key(header["jwk"]), algorithms=["ES256"]).claims)


class BoundTokens(TokenServer):
    """Gives bound tokens, to who shows the nonce of the day."""

    def __init__(self) -> None:
        super().__init__(self.bound)
        self.nonce = "issuer-1"

    def bound(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if "dpop" not in request.headers:
            return self.refused("invalid_dpop_proof")
        claims = proven(request.headers["dpop"])
        assert (claims["htm"], claims["htu"]) == ("POST", str(self.token_url))
        assert "ath" not in claims
        if claims.get("nonce") != self.nonce:
            return self.refused("use_dpop_nonce")
        self.issued += 1
        body = {"access_token": f"bound-{self.issued}", "token_type": "DPoP", "expires_in": 3600}
        return web.json_response(body)

    def refused(self, error: str) -> web.Response:
        return web.json_response({"error": error}, status=400, headers={"DPoP-Nonce": self.nonce})


@pytest.fixture
async def issuer() -> AsyncIterator[BoundTokens]:
    server = BoundTokens()
    async with server.running():
        yield server


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


def credential(issuer: TokenServer, **settings: Any) -> ClientCredentials:
    return ClientCredentials(client_id="ostiary", token_url=issuer.token_url, **settings)


async def test_each_request_has_a_proof_of_its_own(
    issuer: BoundTokens, runtime: Runtime, clock: Clock
) -> None:
    headers = credential(issuer, dpop=True).attach(SERVER, runtime=runtime)
    first = await headers.get(REQUEST)
    second = headers.ready(OutgoingRequest("GET", canonical_url("https://mcp.example.com/mcp?page=2")))
    assert second is not None
    assert first[0] == second[0] == ("authorization", "DPoP bound-1")
    proofs = [proven(dict(sent)["dpop"]) for sent in (first, second)]
    assert proofs[0].pop("jti") != proofs[1].pop("jti")
    ours = {"htu": "https://mcp.example.com/mcp", "iat": clock.now, "ath": token_hash("bound-1")}
    assert proofs == [{"htm": "POST"} | ours, {"htm": "GET"} | ours]


async def test_the_nonce_of_the_issuer_costs_one_more_request_and_is_kept(
    issuer: BoundTokens, runtime: Runtime, clock: Clock
) -> None:
    headers = credential(issuer, dpop=True).attach(SERVER, runtime=runtime)
    await headers.get(REQUEST)
    assert len(issuer.forms) == 2
    clock.now += 3595
    await headers.get(REQUEST)
    assert len(issuer.forms) == 3
    issuer.nonce = "issuer-2"
    clock.now += 3595
    assert (await headers.get(REQUEST))[0] == ("authorization", "DPoP bound-3")
    assert len(issuer.forms) == 5


async def test_an_issuer_that_wants_proofs_gets_them_unasked(issuer: BoundTokens, runtime: Runtime) -> None:
    headers = credential(issuer).attach(SERVER, runtime=runtime)
    assert (await headers.get(REQUEST))[0] == ("authorization", "DPoP bound-1")


async def test_an_issuer_that_is_never_content_is_asked_twice(issuer: BoundTokens, runtime: Runtime) -> None:
    issuer.answer = refusing("use_dpop_nonce", dpop_nonce="another")
    with pytest.raises(CredentialError) as refused:
        await credential(issuer, dpop=True).attach(SERVER, runtime=runtime).get(REQUEST)
    assert refused.value.problem == f"token endpoint {issuer.token_url}: it refused with use_dpop_nonce"
    assert len(issuer.forms) == 2


async def test_a_bearer_token_where_a_bound_one_was_asked_for_is_refused(
    issuer: BoundTokens, runtime: Runtime
) -> None:
    issuer.answer = issuer.numbered
    with pytest.raises(CredentialError) as refused:
        await credential(issuer, dpop=True).attach(SERVER, runtime=runtime).get(REQUEST)
    assert refused.value.problem == (
        f"token endpoint {issuer.token_url}: its answer has token_type 'Bearer', where DPoP was asked for"
    )


async def test_a_server_that_challenges_for_dpop_alone_gets_a_bound_token(
    issuer: BoundTokens, runtime: Runtime
) -> None:
    bound, issuer.answer = issuer.answer, issuer.numbered
    headers = credential(issuer).attach(SERVER, runtime=runtime)
    first = await headers.get(REQUEST)
    assert first == (("authorization", "Bearer token-1"),)
    issuer.answer = bound
    assert headers.refused(REQUEST, first, ServerRefusal(401, 'DPoP algs="ES256"'))
    assert (await headers.get(REQUEST))[0] == ("authorization", "DPoP bound-2")


@asynccontextmanager
async def bound_server(nonce: str) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that takes bound tokens with its own nonce, and what it was proven."""
    proofs: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        claims = proven(request.headers["dpop"])
        assert claims["ath"] == token_hash(request.headers["authorization"].removeprefix("DPoP "))
        proofs.append(claims)
        if claims.get("nonce") != nonce:
            challenge = 'DPoP error="use_dpop_nonce"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge, "DPoP-Nonce": nonce})
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/mcp", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp", proofs
    finally:
        await runner.cleanup()


async def test_the_nonce_of_the_server_goes_into_the_next_proofs_and_the_token_stays(
    issuer: BoundTokens, runtime: Runtime
) -> None:
    async with bound_server("server-1") as (url, proofs):
        auth = CredentialAuth(credential(issuer, dpop=True), server_url=url, runtime=runtime)
        async with httpx2.AsyncClient(auth=auth, trust_env=False) as http:
            assert [(await http.post(url)).status_code for _ in range(3)] == [200, 200, 200]
    assert [proof.get("nonce") for proof in proofs] == [None, "server-1", "server-1", "server-1"]
    assert {proof["htu"] for proof in proofs} == {url}
    assert issuer.issued == 1
