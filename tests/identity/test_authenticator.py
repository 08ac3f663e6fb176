"""A bearer token in, a principal out: against a real issuer on loopback."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import OidcInbound
from ostiary.identity.key_sets import KeySets
from ostiary.inline_coroutines import as_future
from ostiary.oauth.errors import InsufficientScope, InvalidToken, TemporarilyUnavailable

AUDIENCE = "https://mcp.example.com/mcp"


@pytest.fixture
def authenticator(issuer: Any, key_sets: KeySets, clock: Any) -> Authenticator:
    inbound = OidcInbound(issuer=issuer.url)
    return Authenticator([inbound], audiences=(AUDIENCE,), key_sets=key_sets, clock=clock)


async def refusal(authenticator: Authenticator, token: str) -> tuple[str, str, str]:
    with pytest.raises(InvalidToken) as refused:
        await authenticator.authenticate(token)
    return refused.value.reason, str(refused.value), refused.value.detail


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


async def test_a_good_token_names_its_principal(authenticator: Authenticator, issuer: Any) -> None:
    principal = await authenticator.authenticate(issuer.token(client_id="app", scope="mcp read"))
    assert principal.issuer == issuer.url
    assert principal.subject == "ada"
    assert principal.client_id == "app"
    assert principal.scopes == {"mcp", "read"}
    assert principal.expires_at == issuer.clock.now + 3600
    assert principal.claims["aud"] == AUDIENCE


async def test_a_token_whose_keys_are_at_hand_is_verified_inline_without_a_task(
    authenticator: Authenticator, issuer: Any
) -> None:
    await authenticator.authenticate(issuer.token())
    known, new = issuer.token(), issuer.token(sub="bob")
    before = asyncio.all_tasks()
    answers = [as_future(authenticator.authenticate(token)) for token in (known, new)]
    assert [answer.result().subject for answer in answers] == ["ada", "bob"]
    assert asyncio.all_tasks() == before


async def test_the_keys_are_found_by_discovery_and_fetched_once(
    authenticator: Authenticator, issuer: Any
) -> None:
    await authenticator.authenticate(issuer.token())
    await authenticator.authenticate(issuer.token(sub="bob"))
    assert issuer.requests == [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/jwks",
    ]


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (RSAKey.generate_key(2048, {"kid": "k"}), "RS256"),
        (RSAKey.generate_key(2048, {"kid": "k"}), "PS256"),
        (ECKey.generate_key("P-384", {"kid": "k"}), "ES384"),
        (OKPKey.generate_key("Ed25519", {"kid": "k"}), "Ed25519"),
    ],
)
async def test_every_accepted_algorithm_is_verified(
    authenticator: Authenticator, issuer: Any, key: Any, alg: str
) -> None:
    issuer.keys = [key]
    assert (await authenticator.authenticate(issuer.token(header={"alg": alg}))).subject == "ada"


async def test_garbage_is_refused(authenticator: Authenticator) -> None:
    assert await refusal(authenticator, "a.b.c") == (
        "malformed",
        "the token is malformed",
        "its header is not base64url of a JSON object",
    )


async def test_claims_that_stand_twice_are_refused(authenticator: Authenticator, issuer: Any) -> None:
    claims = json.dumps(issuer.claims(sub="ada"))
    header = {"alg": "ES256", "kid": issuer.keys[0].kid}
    for payload in (claims[:-1] + ', "sub": "root"}', claims[:-1] + ', "act": {"sub": "a", "sub": "b"}}'):
        token = jws.serialize_compact(header, payload, issuer.keys[0])
        assert await refusal(authenticator, token) == (
            "malformed",
            "the token is malformed",
            "its payload is not base64url of a JSON object",
        )


async def test_an_access_token_where_a_jwt_is_due_is_refused(authenticator: Authenticator) -> None:
    for token in ("ya29.a0AfB_byC", "ya29.c.c0AfB_byC"):
        assert await refusal(authenticator, token) == (
            "opaque_token",
            "the token is not a signed JWT",
            "it is a Google access token",
        )


async def test_a_token_longer_than_16_kib_is_refused_unread(
    authenticator: Authenticator, issuer: Any
) -> None:
    assert (await refusal(authenticator, issuer.token(padding="x" * 20_000)))[0] == "too_large"
    assert issuer.requests == []


@pytest.mark.parametrize("alg", ["none", "None", "NONE"])
async def test_an_unsigned_token_is_refused(authenticator: Authenticator, issuer: Any, alg: str) -> None:
    token = unsigned({"alg": alg}, issuer.claims())
    assert await refusal(authenticator, token) == ("alg_none", "the token is not signed", "alg is none")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    authenticator: Authenticator, issuer: Any
) -> None:
    signed = unsigned({"alg": "HS256", "kid": "first"}, issuer.claims()).rstrip(".")
    mac = hmac.digest(issuer.keys[0].as_pem(private=False), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert await refusal(authenticator, token) == (
        "symmetric_alg",
        "the token is signed with a shared secret, which is not accepted",
        "alg 'HS256'",
    )


async def test_an_algorithm_that_nobody_listed_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    token = unsigned({"alg": "RS1"}, issuer.claims()) + "AAAA"
    assert (await refusal(authenticator, token))[0] == "alg_not_allowed"


async def test_a_critical_extension_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    token = unsigned({"alg": "ES256", "crit": ["exp"], "exp": 1}, issuer.claims()) + "AAAA"
    assert (await refusal(authenticator, token))[0] == "unsupported_header"


async def test_a_key_that_the_token_brings_itself_is_not_looked_at(
    authenticator: Authenticator, issuer: Any
) -> None:
    own = ECKey.generate_key("P-256", {"kid": "own"})
    header = {
        "jwk": own.as_dict(private=False),
        "jku": "http://127.0.0.1:1/jwks",
        "x5u": "http://127.0.0.1:1/",
    }
    assert (await refusal(authenticator, issuer.token(key=own, header=header)))[0] == "unknown_kid"


async def test_a_forged_signature_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    token = issuer.token(key=ECKey.generate_key("P-256", {"kid": "first"}))
    assert await refusal(authenticator, token) == (
        "bad_signature",
        "the token's signature is wrong",
        "the signature does not match kid 'first'",
    )


async def test_changed_claims_are_refused(authenticator: Authenticator, issuer: Any) -> None:
    header, _, signature = issuer.token().split(".")
    claims = issuer.token(sub="root").split(".")[1]
    assert (await refusal(authenticator, f"{header}.{claims}.{signature}"))[0] == "bad_signature"


async def test_an_expired_token_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    token = issuer.token()
    issuer.clock.now += 3631
    assert await refusal(authenticator, token) == (
        "expired",
        "the token has expired",
        "it expired 31 seconds ago",
    )


async def test_a_token_for_another_service_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    assert await refusal(authenticator, issuer.token(aud="https://other.example.com")) == (
        "wrong_audience",
        "the token is for another audience",
        "audience 'https://other.example.com' is none of 'https://mcp.example.com/mcp'",
    )


async def test_a_token_of_another_issuer_is_refused(authenticator: Authenticator, issuer: Any) -> None:
    assert await refusal(authenticator, issuer.token(iss="https://evil.example")) == (
        "wrong_issuer",
        "the token is from an issuer that is not accepted here",
        "issuer 'https://evil.example' is not configured",
    )


@pytest.mark.parametrize(
    "typ",
    [
        *("id+jwt", "logout+jwt", "secevent+jwt", "oauth-id-jag+jwt", "dpop+jwt", "token-introspection+jwt"),
        *("oauth-authz-req+jwt", "client-authentication+jwt", "statuslist+jwt"),
    ],
)
async def test_another_kind_of_jwt_of_the_issuer_opens_no_door(
    authenticator: Authenticator, issuer: Any, typ: str
) -> None:
    assert await refusal(authenticator, issuer.token(header={"typ": typ}, scope="mcp")) == (
        "wrong_kind",
        "the token is another kind of JWT",
        f"typ {typ!r}",
    )


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"nonce": "n"}, "it has nonce, as an ID token has"),
        ({"at_hash": "h"}, "it has at_hash, as an ID token has"),
        ({"events": {}}, "it has events, as a logout token or another security event has"),
        ({"typ": "ID"}, "its typ claim is 'ID'"),
        ({"typ": "Refresh", "scope": "mcp"}, "its typ claim is 'Refresh'"),
        ({"token_use": "id"}, "its token_use claim is 'id'"),
    ],
)
async def test_an_id_token_of_the_issuer_opens_no_door(
    authenticator: Authenticator, issuer: Any, claims: dict[str, Any], detail: str
) -> None:
    for header in ({}, {"typ": "JWT"}):
        token = issuer.token(header=header, **claims)
        assert await refusal(authenticator, token) == (
            "wrong_kind",
            "the token is not an access token",
            detail,
        )


async def test_what_an_access_token_says_of_itself_counts_for_more_than_a_nonce(
    authenticator: Authenticator, issuer: Any
) -> None:
    for said in ({"typ": "Bearer"}, {"token_use": "access"}, {"header": {"typ": "at+jwt"}}):
        principal = await authenticator.authenticate(issuer.token(nonce="n", **said))
        assert principal.subject == "ada"


async def test_the_type_of_access_tokens_can_be_demanded(issuer: Any, key_sets: KeySets, clock: Any) -> None:
    inbound = OidcInbound(issuer=issuer.url, access_token_type="at+jwt")
    authenticator = Authenticator([inbound], audiences=(AUDIENCE,), key_sets=key_sets, clock=clock)
    for typ in ("at+jwt", "application/at+JWT"):
        assert (await authenticator.authenticate(issuer.token(header={"typ": typ}))).subject == "ada"
    for header in ({}, {"typ": "JWT"}, {"typ": "id+jwt"}):
        assert (await refusal(authenticator, issuer.token(header=header, typ="Bearer")))[:2] == (
            "wrong_kind",
            "the token is not an access token: its typ is not at+jwt",
        )


async def test_too_little_scope_is_a_403_that_names_the_scopes(
    issuer: Any, key_sets: KeySets, clock: Any
) -> None:
    inbound = OidcInbound(issuer=issuer.url, required_scopes=("mcp", "read"))
    authenticator = Authenticator([inbound], audiences=(AUDIENCE,), key_sets=key_sets, clock=clock)
    with pytest.raises(InsufficientScope) as refused:
        await authenticator.authenticate(issuer.token(scope="read"))
    assert (refused.value.status, refused.value.error, refused.value.scopes) == (
        403,
        "insufficient_scope",
        ("mcp", "read"),
    )
    assert str(refused.value) == "the token lacks the scope mcp"
    assert refused.value.detail == "subject 'ada' has read"


async def test_an_entrys_own_audience_takes_the_place_of_the_default(
    issuer: Any, key_sets: KeySets, clock: Any
) -> None:
    inbound = OidcInbound(issuer=issuer.url, audience="api://own")
    authenticator = Authenticator([inbound], audiences=(AUDIENCE,), key_sets=key_sets, clock=clock)
    assert (await authenticator.authenticate(issuer.token(aud="api://own"))).subject == "ada"
    assert (await refusal(authenticator, issuer.token()))[0] == "wrong_audience"


async def test_two_entries_of_one_issuer_are_both_tried(issuer: Any, key_sets: KeySets, clock: Any) -> None:
    entries = [OidcInbound(issuer=issuer.url, audience=audience) for audience in ("api://one", "api://two")]
    authenticator = Authenticator(entries, audiences=(AUDIENCE,), key_sets=key_sets, clock=clock)
    assert (await authenticator.authenticate(issuer.token(aud="api://two"))).subject == "ada"


async def test_a_verdict_is_remembered_for_a_minute(authenticator: Authenticator, issuer: Any) -> None:
    token = issuer.token()
    assert authenticator.cached_principal(token) is None
    principal = await authenticator.authenticate(token)
    assert authenticator.cached_principal(token) is principal
    issuer.clock.now += 60
    assert authenticator.cached_principal(token) is None


async def test_a_verdict_is_not_remembered_beyond_the_tokens_expiry(
    authenticator: Authenticator, issuer: Any
) -> None:
    token = issuer.token(exp=int(issuer.clock.now) + 5)
    await authenticator.authenticate(token)
    issuer.clock.now += 5
    assert authenticator.cached_principal(token) is None


async def test_a_verdict_is_forgotten_when_the_keys_change(
    authenticator: Authenticator, issuer: Any, key_sets: KeySets
) -> None:
    token = issuer.token()
    await authenticator.authenticate(token)
    second = ECKey.generate_key("P-256", {"kid": "second"})
    issuer.keys = [second]
    issuer.clock.now += 30
    await authenticator.authenticate(issuer.token(key=second))
    assert authenticator.cached_principal(token) is None
    assert (await refusal(authenticator, token))[0] == "unknown_kid"


async def test_an_issuer_that_is_down_is_a_503_and_nobody_is_let_in(
    authenticator: Authenticator, issuer: Any
) -> None:
    issuer.up = False
    with pytest.raises(TemporarilyUnavailable) as refused:
        await authenticator.authenticate(issuer.token())
    assert (refused.value.status, refused.value.reason) == (503, "keys_unavailable")
    assert str(refused.value) == (
        "the token cannot be verified now, because its issuer's keys cannot be fetched"
    )
