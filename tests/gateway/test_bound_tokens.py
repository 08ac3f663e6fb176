"""A token that is bound to a key opens a door for who has the key, RFC 9449 section 7."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from joserfc.jwk import ECKey
from tests.gateway.conftest import VISITOR, Clock

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.confirmation import jwk_thumbprint

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway

    from ostiary.cloudrun.emulator import Emulator

PUBLIC = "https://mcp.example.com"
DOOR = f"{PUBLIC}/mcp"
Bound = Callable[..., Awaitable[str]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key() -> ECKey:
    return ECKey.generate_key("P-256")


@pytest.fixture
async def guarded(start_gateway: StartGateway, server: McpServer, google: Emulator, clock: Clock) -> Caller:
    inbound = {"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}
    caller = await start_gateway(clock, url=PUBLIC, inbound=[inbound], servers={"zoo": {"url": server.url}})
    caller.http.headers["host"] = "mcp.example.com"
    return caller


@pytest.fixture
async def bound(google: Emulator, key: ECKey) -> Bound:
    """Makes the visitor's tokens; cnf: what they are bound to, by default the key."""
    to_the_key = {"jkt": jwk_thumbprint(key.as_dict(private=False))}

    async def sign(cnf: Any = to_the_key) -> str:
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com", "aud": DOOR, "sub": "1", "email": VISITOR,
            "email_verified": True, "iat": now, "exp": now + 3600,
            "cnf": cnf,
        }  # fmt: skip
        async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
            answered = await http.post("/emulator/sign", json={"claims": claims})
        return str(answered.json()["token"])

    return sign


def proof(key: ECKey, token: str | None, clock: Clock, *, method: str = "POST", url: str = DOOR) -> str:
    return dpop_proof(
        key,
        method=method,
        url=canonical_url(url),
        now=clock(),
        jti=secrets.token_urlsafe(12),
        access_token=token,
    )


async def call(caller: Caller, scheme: str, token: str, *proofs: str) -> httpx2.Response:
    headers = [("authorization", f"{scheme} {token}"), *(("dpop", one) for one in proofs)]
    return await caller.ask("tools/call", {"name": "zoo_x"}, headers=headers)


async def test_who_has_the_key_comes_in(guarded: Caller, bound: Bound, key: ECKey, clock: Clock) -> None:
    token = await bound()
    for _ in range(2):
        assert (await call(guarded, "DPoP", token, proof(key, token, clock))).status_code == 200


async def test_a_stolen_token_is_no_bearer_token(
    guarded: Caller, bound: Bound, key: ECKey, clock: Clock, server: McpServer
) -> None:
    token = await bound()
    assert (await call(guarded, "DPoP", token, proof(key, token, clock))).status_code == 200
    for scheme in ("Bearer", "bearer"):
        refused = await call(guarded, scheme, token)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == (
            'DPoP error="invalid_token", error_description="the token is bound to a key: send it as `DPoP`, '
            'with a proof of the key", algs="ES256 EdDSA Ed25519 PS256 RS256"'
        )
    assert len(server.seen) == 1


async def test_a_proof_is_good_once(guarded: Caller, bound: Bound, key: ECKey, clock: Clock) -> None:
    token = await bound()
    once = proof(key, token, clock)
    assert (await call(guarded, "DPoP", token, once)).status_code == 200
    again = await call(guarded, "DPoP", token, once)
    assert (again.status_code, again.json()["error"]["message"]) == (
        401,
        "the DPoP proof was used before; make a new one for each request",
    )


async def test_proofs_for_something_else_are_refused(
    guarded: Caller, bound: Bound, key: ECKey, clock: Clock
) -> None:
    token, stranger = await bound(), ECKey.generate_key("P-256")
    old = Clock()
    old.ahead = -310.0
    good = proof(key, token, clock)
    for proofs in (
        [],
        [good, proof(key, token, clock)],
        ["nonsense"],
        [proof(stranger, token, clock)],
        [proof(key, None, clock)],
        [proof(key, "another.token.altogether", clock)],
        [proof(key, token, clock, method="GET")],
        [proof(key, token, clock, url=f"{PUBLIC}/servers/zoo/mcp")],
        [proof(key, token, old)],
    ):
        refused = await call(guarded, "DPoP", token, *proofs)
        assert refused.status_code == 401, proofs
        assert refused.headers["www-authenticate"].startswith("DPoP error="), proofs


async def test_a_token_bound_to_what_we_do_not_see_is_refused(
    guarded: Caller, bound: Bound, key: ECKey, clock: Clock
) -> None:
    odd: list[Any] = [{"jkt": "another"}, {"kid": "something new"}, {}, [], "key", None]
    for cnf in ({"x5t#S256": "certificate"}, *odd):
        token = await bound(cnf)
        assert (await call(guarded, "Bearer", token)).status_code == 401, cnf
        assert (await call(guarded, "DPoP", token, proof(key, token, clock))).status_code == 401, cnf


async def test_a_token_that_is_bound_to_nothing_has_no_use_for_a_proof(
    guarded: Caller, google: Emulator, key: ECKey, clock: Clock
) -> None:
    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": DOOR, "sub": "1", "email": VISITOR}
    claims |= {"email_verified": True, "iat": now, "exp": now + 3600}  # type: ignore[dict-item]  # of all kinds
    async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
        token = (await http.post("/emulator/sign", json={"claims": claims})).json()["token"]
    refused = await call(guarded, "DPoP", token, proof(key, token, clock))
    assert refused.json()["error"]["message"] == "the token is bound to no key: send it as `Bearer`"
    assert (await call(guarded, "Bearer", token)).status_code == 200
