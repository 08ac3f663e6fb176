"""What an OpenID provider, or somebody in its place, may send us."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, OctKey
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import CALLBACK, Provider, signed_in
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp, little_idp
from tests.authserver.idps.naming_service import NamingService

from ostiary.authserver.config.idps import OidcIdp
from ostiary.authserver.idps.idp import IdpAnswerRefused, IdpDenied, IdpUnavailable, LoginOptions
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.tools import Tools
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.fetch import Fetcher


async def refusal(provider: OidcProvider, idp: LittleIdp, clock: Clock, **options: Any) -> str:
    """Why a login is refused."""
    with pytest.raises(IdpAnswerRefused) as refused:
        await signed_in(provider, idp, clock, **options)
    return str(refused.value).removeprefix("identity provider corp: ")


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "the ID token does not have the nonce of this sign-in"),
        ({"nonce": None}, "the ID token does not have the nonce of this sign-in"),
        (
            {"aud": "another"},
            "the ID token is for another audience (audience 'another' is none of 'ostiary')",
        ),
        (
            {"iss": "https://evil.example.com"},
            "the ID token is from another issuer (issuer 'https://evil.example.com')",
        ),
        ({"exp": 1_800_000_000 - 31}, "the ID token has expired (it expired 31 seconds ago)"),
        (
            {"iat": 1_800_000_031},
            "the ID token is not valid yet (its iat is 31 seconds ahead of our clock)",
        ),
        ({"iat": None}, "the ID token lacks a proper iat claim"),
        ({"exp": None}, "the ID token lacks a proper exp claim (claim exp is absent or of the wrong type)"),
        ({"sub": ""}, "the ID token lacks a proper sub claim (claim sub is absent or of the wrong type)"),
        ({"aud": [CLIENT_ID, "another"]}, "the ID token has several audiences and no azp"),
        ({"azp": "another"}, "the ID token was made for another client (azp 'another')"),
        ({"at_hash": "AAAA"}, "the ID token belongs to another access token: its at_hash differs"),
    ],
)
async def test_an_id_token_with_a_wrong_claim(
    claims: dict[str, Any], why: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.claims = claims
    assert await refusal(provider(), idp, clock) == why


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header | {'alg': 'none'})}.{part(claims)}."


def by_our_secret(header: dict[str, Any], claims: dict[str, Any]) -> str:
    key = OctKey.import_key(CLIENT_SECRET)
    return jws.serialize_compact(header | {"alg": "HS256"}, json.dumps(claims), key, algorithms=["HS256"])


def by_another_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jws.serialize_compact(header, json.dumps(claims), ECKey.generate_key("P-256"))


def with_a_key_inside(header: dict[str, Any], claims: dict[str, Any]) -> str:
    key = ECKey.generate_key("P-256")
    brought = {"jwk": key.as_dict(private=False), "jku": "https://evil.example.com/jwks", "kid": "two"}
    return jws.serialize_compact(header | brought, json.dumps(claims), key)


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (unsigned, "the token is not signed (alg is none)"),
        (by_our_secret, "the token is signed with a shared secret, which is not accepted (alg 'HS256')"),
        (by_another_key, "the token's signature is wrong (the signature does not match kid 'one')"),
        (
            with_a_key_inside,
            (
                "the token is signed with a key that its issuer does not have "
                "(no ES256 key with kid 'two' in the issuer's key set)"
            ),
        ),
        (
            lambda header, claims: "not.a.jwt",
            "the token is malformed (its header is not base64url of a JSON object)",
        ),
    ],
)
async def test_an_id_token_that_the_provider_did_not_sign(
    forged: Callable[..., str], why: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.forged = forged
    assert await refusal(provider(), idp, clock) == why


async def test_an_algorithm_that_the_entry_does_not_take(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    why = await refusal(provider(id_token_algorithms=["RS256", "PS256"]), idp, clock)
    assert why == (
        "the token is signed with an algorithm that is not accepted "
        "(alg ES256; id_token_algorithms has RS256, PS256)"
    )


async def test_a_sign_in_that_is_older_than_the_client_allows(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.claims = {"auth_time": int(clock()) - 91}
    why = await refusal(provider(), idp, clock, options=LoginOptions(max_age=60))
    assert why == "the person signed in longer ago than max_age allows"
    idp.claims = {"auth_time": None}
    why = await refusal(provider(), idp, clock, options=LoginOptions(max_age=60))
    assert why == "the ID token does not say when the person signed in, which max_age asks for"


async def test_no_id_token_at_all(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    idp.answer = {"id_token": None}
    assert await refusal(provider(), idp, clock) == "the token answer has no ID token"


async def test_an_answer_of_another_provider(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    why = await refusal(provider(), idp, clock, iss="https://evil.example.com")
    assert why == f"the answer is from another issuer than {idp.url}, which was asked"
    assert idp.redeemed == []


async def test_an_answer_that_does_not_say_whose_it_is(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    why = await refusal(provider(), idp, clock, iss="")
    assert why == f"the answer does not say its issuer, which {idp.url} promised to"
    assert idp.redeemed == []
    idp.metadata = {"authorization_response_iss_parameter_supported": None}
    await signed_in(provider(), idp, clock, iss="")


@pytest.mark.parametrize("doubled", [b"&code=another", b"&iss=https%3A%2F%2Fevil.example.com"])
async def test_a_parameter_that_stands_twice(
    doubled: bytes, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    with pytest.raises(IdpAnswerRefused, match="stands more than once"):
        await at.complete(idp.approve(left.url) + doubled, left.memory, now=clock())
    assert idp.redeemed == []


async def test_neither_a_code_nor_an_error(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    assert await refusal(provider(), idp, clock, code="") == "the answer has neither a code nor an error"


async def test_upstream_error(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    denied = {"code": "", "error": "access_denied", "error_description": "no\r\nSet-Cookie: a=b\x1b[2J"}
    with pytest.raises(IdpDenied) as refused:
        await signed_in(provider(), idp, clock, options=None, **denied)
    assert refused.value.error == "access_denied"
    assert str(refused.value) == "identity provider corp says access_denied (no Set-Cookie: a=b [2J)"
    with pytest.raises(IdpUnavailable) as down:
        await signed_in(provider(), idp, clock, code="", error="temporarily_unavailable")
    assert str(down.value) == "identity provider corp says temporarily_unavailable"


async def test_an_error_of_another_provider_is_not_even_quoted(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    why = await refusal(
        provider(), idp, clock, code="", error="access_denied", iss="https://evil.example.com"
    )
    assert why == f"the answer is from another issuer than {idp.url}, which was asked"


async def test_a_code_with_another_login_s_verifier(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    at = provider()
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    other = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    with pytest.raises(IdpAnswerRefused) as refused:
        await at.complete(idp.approve(left.url), other.memory, now=clock())
    assert str(refused.value) == "identity provider corp gives no tokens: invalid_grant"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            lambda: web.Response(text="<html>Sign in to the hotel's network", content_type="text/html"),
            "it answered 200 with 'text/html', not with JSON",
        ),
        (
            lambda: web.Response(status=302, headers={"location": "http://127.0.0.1:1/steal"}),
            "it answered 302: it redirects, which nobody may follow with secrets",
        ),
        (lambda: web.json_response({}), "its answer has no access_token"),
        (lambda: web.json_response([]), "it answered 200 with JSON that is not an object"),
        (
            lambda: web.json_response({"access_token": "a", "token_type": "DPoP"}),
            "its answer has token_type 'DPoP', where Bearer was asked for",
        ),
        (
            lambda: web.json_response({"access_token": "a\r\nx: y", "token_type": "Bearer"}),
            "its access_token has a line break or another character that no token may have",
        ),
    ],
)
async def test_token_endpoint_answers_nonsense(
    answer: Callable[[], web.StreamResponse], why: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.raw = answer
    assert await refusal(provider(), idp, clock) == why
    assert len(idp.redeemed) == 1


async def test_token_endpoint_answers_5_mib(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    idp.raw = lambda: web.Response(body=b" " * (5 * 1024 * 1024), content_type="application/json")
    with pytest.raises(IdpUnavailable) as refused:
        await signed_in(provider(), idp, clock)
    assert str(refused.value) == (
        f"identity provider corp: {idp.url}/token: the answer is longer than 1048576 bytes"
    )


@pytest.mark.parametrize(("status", "after", "wait"), [(503, "30", 30), (500, None, 5), (429, "99999", 3600)])
async def test_token_endpoint_is_down(
    status: int, after: str | None, wait: int, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    headers = {} if after is None else {"retry-after": after}
    idp.raw = lambda: web.Response(status=status, headers=headers)
    with pytest.raises(IdpUnavailable) as refused:
        await signed_in(provider(), idp, clock)
    assert str(refused.value) == f"identity provider corp: {idp.url}/token answered {status}"
    assert refused.value.retry_after == wait
    assert refused.value.may_have_spent == (status == 500)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b'{"sub": "bob"}', "userinfo speaks of somebody else than the ID token"),
        (b'{"sub": 248289761002}', "userinfo speaks of somebody else than the ID token"),
        (b'{"name": "Alice"}', "there is no subject at sub; say where this provider has it"),
        (b'{"sub": "248289761001", "sub": "bob"}', "the userinfo answer has the same name twice"),
        (b"<html>", "the userinfo answer is not JSON in UTF-8"),
        (
            b'{"sub": "248289761001", "x": "' + b"x" * 70_000 + b'"}',
            "the userinfo answer has more than 64 KiB",
        ),
    ],
)
async def test_odd_userinfo(
    answer: bytes, why: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.userinfo = answer
    assert await refusal(provider(userinfo=True), idp, clock) == why


MACHINE = "it names this machine, and who wrote it is on another"
NETWORK = "its host leads to a private address; if it should, set private_network: true"
PLACES = {
    "http://127.0.0.1:{port}": MACHINE,
    "https://127.0.0.1:{port}": MACHINE,
    "http://localhost:{port}": MACHINE,
    "https://169.254.169.254": NETWORK,
    "https://10.0.0.1": NETWORK,
    "https://[::ffff:127.0.0.1]:{port}": MACHINE,
    "https://[::ffff:10.0.0.1]": NETWORK,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
async def test_idp_metadata_cannot_reach_inside(
    endpoint: str, place: str, idp: LittleIdp, clock: Clock
) -> None:
    async with little_idp(clock) as inside:
        fetcher = NamingService(idp, "idp.example.com")
        led_to = place.format(port=inside.url.rpartition(":")[2]) + "/x"
        idp.metadata = {endpoint: led_to}
        with pytest.raises(IdpUnavailable) as refused:
            await signed_in(known_publicly(fetcher, idp, clock), idp, clock)
        assert str(refused.value).endswith(f"{canonical_url(led_to)}: {PLACES[place]}")
        assert inside.paths == []


@pytest.mark.parametrize("place", PLACES)
async def test_idp_metadata_cannot_have_tokens_sent_inside(place: str, idp: LittleIdp, clock: Clock) -> None:
    async with little_idp(clock) as inside:
        fetcher = NamingService(idp, "idp.example.com")
        idp.metadata = {"revocation_endpoint": place.format(port=inside.url.rpartition(":")[2]) + "/revoke"}
        at = known_publicly(fetcher, idp, clock)
        connected = await signed_in(at, idp, clock)
        await at.revoke(connected.tokens, issuer=connected.issuer, client_id=CLIENT_ID)
        assert (inside.paths, idp.revoked) == ([], [])


def known_publicly(fetcher: Fetcher, idp: LittleIdp, clock: Clock) -> OidcProvider:
    values = {"name": "corp", "issuer": idp.url, "client_id": CLIENT_ID, "userinfo": True}
    return OidcProvider(OidcIdp.model_validate(values), Tools(fetcher, KeySets(fetcher, clock), clock))
