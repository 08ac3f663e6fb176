"""A trusted issuer's JWT: its keys, its header and its form, attacked wherever one is taken."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey, RSAKey
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start, basic_settings
from tests.authserver.foreign_issuer import ForeignIssuer, base64url, new_key, unsigned

from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.authserver.trusted_jwts.verification import key_location
from ostiary.credentials import WorkloadJwt
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.jwt_parts import jwt_parts

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AGENT = ("agent", SECRET)

numbers = itertools.count()


class Door:
    """One place that takes such tokens, with what it calls them."""

    def __init__(self, typ: str, name: str, error: str, form: Callable[[str], dict[str, str]]) -> None:
        self.typ = typ
        self.name = name
        self.error = error
        self.form = form

    def claims(self, issuer: ForeignIssuer, server: Server) -> dict[str, Any]:
        """Good ones."""
        now = int(issuer.clock())
        return {
            "iss": issuer.url,
            "sub": "ada",
            "aud": server.issuer if self.typ == "oauth-id-jag+jwt" else RESOURCE,
            "client_id": "agent",
            "resource": RESOURCE,
            "scope": "mcp",
            "jti": f"j-{next(numbers)}",
            "iat": now,
            "exp": now + 60,
        }

    async def bring(self, server: Server, token: str) -> httpx2.Response:
        """Ask for one of our tokens with it."""
        return await server.token(self.form(token), auth=AGENT)

    def refusal(self, answered: httpx2.Response) -> str:
        """The sentence, in which this kind is called a token."""
        body = answered.json()
        assert (answered.status_code, body["error"]) == (400, self.error), body
        assert self.name in body["error_description"]
        return str(body["error_description"].replace(self.name, "the token", 1))


ID_JAG = Door(
    "oauth-id-jag+jwt",
    "the assertion",
    "invalid_grant",
    lambda token: {"grant_type": JWT_BEARER, "assertion": token},
)
SUBJECT_TOKEN = Door(
    "at+jwt",
    "the subject token",
    "invalid_request",
    lambda token: {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    },
)


@pytest.fixture(params=[ID_JAG, SUBJECT_TOKEN], ids=["id_jag", "subject_token"])
def door(request: pytest.FixtureRequest) -> Door:
    assert isinstance(request.param, Door)
    return request.param


@pytest.fixture
async def sso(clock: Clock) -> AsyncIterator[ForeignIssuer]:
    async with ForeignIssuer(clock).running() as issuer:
        yield issuer


@pytest.fixture
async def server(start: Start, sso: ForeignIssuer) -> AsyncIterator[Server]:
    async with start(settings(sso)) as server:
        yield server


def settings(sso: ForeignIssuer, **trusted: Any) -> dict[str, Any]:
    """An issuer that is trusted for both, and a client that may bring both."""
    entry = sso.settings | {"use": ["id_jag", "subject_token"], "allowed_actors": ["agent"]} | trusted
    grants = ["jwt_bearer", "token_exchange"]
    clients = [{"client_id": "agent", "client_secret": SECRET, "grant_types": grants}]
    return basic_settings(trusted_issuers=[entry], clients=clients)


Bring = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
def bring(server: Server, sso: ForeignIssuer, door: Door) -> Bring:
    """Bring a token with these headers, signed with this key."""

    async def brought(*, key: Any = None, **header: Any) -> httpx2.Response:
        token = sso.sign(door.claims(sso, server), **{"typ": door.typ, "key": key} | header)
        return await door.bring(server, token)

    return brought


async def test_a_good_one_is_taken(bring: Bring, sso: ForeignIssuer) -> None:
    for _ in range(3):
        assert (await bring()).status_code == 200
    assert sso.requests["/jwks"] == 1


@pytest.mark.parametrize("alg", ["none", "None", "nOnE"])
async def test_alg_none(server: Server, sso: ForeignIssuer, door: Door, alg: str) -> None:
    header = {"alg": alg, "typ": door.typ, "kid": "first"}
    refused = await door.bring(server, unsigned(header, door.claims(sso, server)))
    assert door.refusal(refused) == "the token is not signed"


@pytest.mark.parametrize("alg", ["HS256", "HS512"])
async def test_alg_confusion_with_the_public_key_as_a_secret(
    server: Server, sso: ForeignIssuer, door: Door, alg: str
) -> None:
    header = {"alg": alg, "typ": door.typ, "kid": "first"}
    signed = unsigned(header, door.claims(sso, server)).removesuffix(".")
    key = sso.keys[0]
    assert isinstance(key, ECKey)
    public = key.as_pem(private=False)
    mac = hmac.digest(public, signed.encode(), f"sha{alg[2:]}")
    refused = await door.bring(server, f"{signed}.{base64url(mac)}")
    sentence = "the token is signed with a shared secret, which is not accepted"
    assert door.refusal(refused) == sentence


async def test_a_secret_among_the_public_keys_verifies_nothing(
    bring: Bring, sso: ForeignIssuer, door: Door
) -> None:
    sso.published = {"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]}
    sentence = "the token is signed with a key that its issuer does not have"
    assert door.refusal(await bring()) == sentence


async def test_a_key_of_another_kind_than_alg_says_verifies_nothing(
    bring: Bring, sso: ForeignIssuer, door: Door
) -> None:
    sso.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
    assert (await bring()).status_code == 200
    refused = await bring(key=new_key("first"))
    sentence = "the token is signed with a key that its issuer does not have"
    assert door.refusal(refused) == sentence


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "' OR '1'='1", "second", "", "x" * 5000, "http://127.0.0.1:1/key", "a\r\nb: c"],
)
async def test_kid_injection(bring: Bring, sso: ForeignIssuer, door: Door, kid: str) -> None:
    refused = await bring(key=new_key("mine"), kid=kid)
    sentence = "the token is signed with a key that its issuer does not have"
    assert door.refusal(refused) == sentence
    assert set(sso.requests) <= {
        "/jwks",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    }


@pytest.mark.parametrize("kid", [7, ["first"], {"kid": "first"}])
async def test_a_kid_that_is_no_text_is_refused(
    server: Server, sso: ForeignIssuer, door: Door, kid: Any
) -> None:
    header = {"alg": "ES256", "typ": door.typ, "kid": kid}
    refused = await door.bring(server, unsigned(header, door.claims(sso, server)) + "AAAA")
    assert door.refusal(refused) == "the token is malformed"


async def test_jku_x5u_and_jwk_are_never_followed(
    bring: Bring, sso: ForeignIssuer, door: Door, clock: Clock
) -> None:
    async with ForeignIssuer(clock).running() as attacker:
        key = attacker.keys[0]
        jwks = f"{attacker.url}/jwks"
        for header in (
            {"jku": jwks},
            {"x5u": jwks},
            {"jwk": key.as_dict(private=False)},
            {"x5c": ["MIIB"]},
            {"jku": jwks, "kid": "attackers"},
        ):
            refused = await bring(key=key, **{"kid": "first"} | header)
            sentence = door.refusal(refused)
            assert sentence in {
                "the token's signature is wrong",
                "the token is signed with a key that its issuer does not have",
            }
        assert not attacker.requests


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True}]
)
async def test_critical_headers(
    server: Server, sso: ForeignIssuer, door: Door, header: dict[str, Any]
) -> None:
    whole = {"alg": "ES256", "typ": door.typ, "kid": "first"} | header
    refused = await door.bring(server, unsigned(whole, door.claims(sso, server)) + "AAAA")
    assert door.refusal(refused) == "the token demands an extension that is not supported"


async def test_a_token_that_was_changed_is_refused(server: Server, sso: ForeignIssuer, door: Door) -> None:
    claims = door.claims(sso, server)
    header, _, signature = sso.sign(claims, typ=door.typ).split(".")
    payload = base64url(json.dumps(claims | {"sub": "root"}).encode())
    refused = await door.bring(server, f"{header}.{payload}.{signature}")
    assert door.refusal(refused) == "the token's signature is wrong"
    unsigned_now = await door.bring(server, f"{header}.{payload}.")
    assert door.refusal(unsigned_now) == "the token's signature is wrong"


async def test_claims_that_stand_twice(server: Server, sso: ForeignIssuer, door: Door) -> None:
    claims = json.dumps(door.claims(sso, server))
    for more in ('"sub": "root"', '"exp": 4000000000', '"act": {"sub": "a", "sub": "b"}'):
        refused = await door.bring(server, sso.sign_text(f"{claims[:-1]}, {more}}}", typ=door.typ))
        assert door.refusal(refused) == "the token is malformed"


async def test_half_a_character(server: Server, sso: ForeignIssuer, door: Door) -> None:
    """JSON can write one, and neither a store nor a token of ours can hold it."""
    claims = json.dumps(door.claims(sso, server))[:-1]
    token = sso.sign_text(claims + r', "x": "\ud800"}', typ=door.typ)
    assert door.refusal(await door.bring(server, token)) == "the token is malformed"
    whole = sso.sign_text(claims + r', "x": "\ud83e\udd80"}', typ=door.typ)
    assert (await door.bring(server, whole)).status_code == 200


async def test_deep_nesting(server: Server, sso: ForeignIssuer, door: Door) -> None:
    claims = json.dumps(door.claims(sso, server))[:-1]
    for depth in (40, 900, 5000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            inside = opening * depth + "1" + closing * depth
            if len(inside) > 11_000:
                continue
            token = sso.sign_text(f'{claims}, "x": {inside}}}', typ=door.typ)
            assert door.refusal(await door.bring(server, token)) == "the token is malformed"
    shallow = sso.sign_text(f'{claims}, "x": {"[" * 31}{"]" * 31}}}', typ=door.typ)
    assert (await door.bring(server, shallow)).status_code == 200


async def test_a_token_of_100_kib(server: Server, sso: ForeignIssuer, door: Door) -> None:
    claims = door.claims(sso, server)
    huge = await door.bring(server, sso.sign(claims | {"x": "x" * 100 * 1024}, typ=door.typ))
    assert huge.status_code == 413
    long = await door.bring(server, sso.sign(claims | {"x": "x" * 16 * 1024}, typ=door.typ))
    assert long.json()["error"] == door.error
    assert long.json()["error_description"] in {
        "the assertion is too long",
        "the subject_token has more than 16384 characters",
    }
    assert not sso.requests


@pytest.mark.parametrize(
    "token", ["a.b.c", "ey.ey", "x", "....", "eyJhbGciOiJFUzI1NiJ9..", "é.é.é", "a b.c.d"]
)
async def test_what_is_no_jwt(server: Server, door: Door, token: str) -> None:
    sentence = door.refusal(await door.bring(server, token))
    assert sentence in {"the token is malformed", "the token is not a signed JWT"}


async def test_an_encrypted_token(server: Server, door: Door) -> None:
    refused = await door.bring(server, "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn")
    assert door.refusal(refused) == "the token is not a signed JWT"


async def test_two_keys_of_one_kid(bring: Bring, sso: ForeignIssuer, door: Door) -> None:
    twin = new_key("first")
    sso.keys.append(twin)
    for key in (sso.keys[0], twin):
        assert (await bring(key=key)).status_code == 200
    refused = await bring(key=new_key("first"))
    assert door.refusal(refused) == "the token's signature is wrong"


async def test_a_new_key_is_looked_up_and_an_old_one_ends(
    bring: Bring, sso: ForeignIssuer, door: Door, clock: Clock
) -> None:
    old = sso.keys[0]
    assert (await bring()).status_code == 200
    clock.advance(30)
    sso.keys = [new_key("second")]
    assert (await bring()).status_code == 200
    sentence = "the token is signed with a key that its issuer does not have"
    assert door.refusal(await bring(key=old)) == sentence


async def test_unknown_keys_do_not_make_us_hammer_an_issuer(
    bring: Bring, sso: ForeignIssuer, door: Door
) -> None:
    for number in range(20):
        await bring(key=new_key(f"k-{number}"))
    assert sso.requests["/jwks"] == 1


@pytest.mark.parametrize(
    "published", [{}, {"keys": "x"}, [], {"keys": [{"kty": "EC"}, "x", None]}, {"keys": []}]
)
async def test_a_key_set_that_is_none(
    bring: Bring, sso: ForeignIssuer, door: Door, clock: Clock, published: Any
) -> None:
    sso.published = published
    refused = await bring()
    assert refused.status_code in {400, 503}
    sso.published = None
    clock.advance(31)
    assert (await bring()).status_code == 200


async def test_while_the_keys_cannot_be_had_nothing_is_decided(
    bring: Bring, sso: ForeignIssuer, clock: Clock
) -> None:
    sso.up = False
    away = await bring()
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert away.json() == {
        "error": "temporarily_unavailable",
        "error_description": "the keys of the token's issuer cannot be fetched now; nothing was spent",
    }
    sso.up = True
    clock.advance(5)
    assert (await bring()).status_code == 200
    sso.up = False
    clock.advance(600)
    assert (await bring()).status_code == 200  # believed for a while
    clock.advance(3600)
    assert (await bring()).status_code == 503


async def test_keys_stand_where_the_operator_says(
    start: Start, sso: ForeignIssuer, door: Door, clock: Clock
) -> None:
    async with ForeignIssuer(clock).running() as keys:
        keys.keys = sso.keys
        sso.up = False
        async with start(settings(sso, jwks_url=f"{keys.url}/jwks")) as server:
            brought = await door.bring(server, sso.sign(door.claims(sso, server), typ=door.typ))
    assert brought.status_code == 200
    assert not sso.requests


async def test_metadata_of_another_issuer_is_not_believed(
    start: Start, sso: ForeignIssuer, door: Door
) -> None:
    elsewhere = sso.settings | {"issuer": f"{sso.url}/tenant"}
    async with start(settings(sso, **elsewhere)) as server:
        claims = door.claims(sso, server) | {"iss": f"{sso.url}/tenant"}
        refused = await door.bring(server, sso.sign(claims, typ=door.typ))
    assert refused.status_code == 503
    assert sso.requests["/jwks"] == 0


def test_metadata_cannot_send_us_inside(tmp_path: Path) -> None:
    """Only an issuer on this machine has its keys on this machine; only with leave, on a private network."""

    def reach(**entry: Any) -> Any:
        return key_location(TrustedIssuer.model_validate({"use": ["id_jag"]} | entry)).reach

    public = reach(issuer="https://sso.example.com")
    assert (public.loopback, public.private_network, public.insecure_allow_http) == (False, False, False)
    assert reach(issuer="http://127.0.0.1:9").loopback
    assert reach(issuer="https://sso.example.com", jwks_url="http://localhost:9/jwks").loopback
    assert not reach(issuer="http://127.0.0.1:9", jwks_url="https://sso.example.com/jwks").loopback
    inside = reach(issuer="https://sso.corp", private_network=True, ca_file=str(tmp_path / "ca.crt"))
    assert inside.private_network
    assert inside.trust.ca_file == tmp_path / "ca.crt"


async def test_every_algorithm_that_issuers_use(bring: Bring, sso: ForeignIssuer) -> None:
    rsa, p384 = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-384", {"kid": "p384"})
    sso.keys += [rsa, p384]
    for key, alg in ((rsa, "RS256"), (rsa, "PS256"), (p384, "ES384")):
        assert (await bring(key=key, alg=alg)).status_code == 200


async def test_our_own_credential_shows_a_workloads_token(
    start: Start, sso: ForeignIssuer, clock: Clock, tmp_path: Path
) -> None:
    """`type: workload_jwt` with a projected service account token in a file."""
    subject = "system:serviceaccount:ci:runner"
    clients = [
        {
            "client_id": "ci",
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
        }
    ]
    entry = sso.settings | {"use": ["workload"], "subjects": {"system:serviceaccount:ci:*": "ci"}}
    async with (
        start(basic_settings(trusted_issuers=[entry], clients=clients)) as server,
        Runtime(clock=clock) as runtime,
    ):
        file = tmp_path / "token"
        file.write_text(
            sso.sign({"sub": subject, "aud": server.issuer, "exp": int(clock()) + 3600}, typ=None)
        )
        credential = WorkloadJwt(file=file, use="client_assertion", issuer=server.issuer, scopes=("mcp",))
        resource = canonical_url(RESOURCE)
        [(name, value)] = await credential.attach(resource, runtime=runtime).get(
            OutgoingRequest("POST", resource)
        )
    claims = jwt_parts(value.removeprefix("Bearer ")).claims
    assert name == "authorization"
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("ci", RESOURCE, "mcp")
