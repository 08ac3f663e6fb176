"""ID tokens, ours and an upstream's, OpenID Connect Core sections 2 and 3.1.3."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.client.id_token import IdTokenRefused, check_id_token, half_hash, issuer_matches
from ostiary.oauth.server.id_token import id_token_claims, scope_claims

NOW = 1_800_000_000.0
ISSUER, CLIENT, NONCE = "https://idp.example", "ostiary", "n-0S6_WzA2Mj"
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "ada",
    "exp": NOW + 300,
    "iat": NOW - 1,
    "nonce": NONCE,
}
ADA = {
    "name": "Ada",
    "email": "ada@example.org",
    "email_verified": True,
    "phone_number": "+1",
    "groups": ["x"],
}


def check(changes: dict[str, Any] | None = None, **options: Any) -> None:
    claims = {name: value for name, value in (GOOD | (changes or {})).items() if value is not None}
    rules: dict[str, Any] = {"issuers": [ISSUER], "client_id": CLIENT, "nonce": NONCE, "now": NOW}
    check_id_token(claims, **rules | options)


def refusal(changes: dict[str, Any] | None = None, **options: Any) -> str:
    with pytest.raises(IdTokenRefused) as refused:
        check(changes, **options)
    return str(refused.value)


def test_our_id_token_says_who_signed_in_where_and_when() -> None:
    ours = id_token_claims(
        issuer="https://auth.example",
        subject="u-1",
        client_id="cli",
        now=NOW,
        lifetime=600,
        nonce=NONCE,
        auth_time=NOW - 5,
        access_token="jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
        scopes=["openid", "email"],
        person=ADA | {"sub": "evil", "nonce": "evil"},
        amr=["pwd"],
    )
    assert ours == {
        "iss": "https://auth.example",
        "sub": "u-1",
        "aud": "cli",
        "exp": 1_800_000_600,
        "iat": 1_800_000_000,
        "auth_time": 1_799_999_995,
        "nonce": NONCE,
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
        "amr": ["pwd"],
        "email": "ada@example.org",
        "email_verified": True,
    }


def test_ours_has_nothing_that_nobody_asked_for() -> None:
    ours = id_token_claims(issuer="i", subject="u", client_id="c", now=NOW, lifetime=60, person=ADA)
    assert set(ours) == {"iss", "sub", "aud", "exp", "iat"}
    ours = id_token_claims(issuer="i", subject="u", client_id="c", now=NOW, lifetime=60, scopes=["email"])
    assert "email" not in ours


def test_a_client_sees_of_a_person_what_its_scopes_say() -> None:
    assert scope_claims(ADA, ["openid"]) == {}
    assert scope_claims(ADA, ["profile", "phone", "groups"]) == {"name": "Ada", "phone_number": "+1"}


def test_ours_is_one_that_we_would_take() -> None:
    ours = id_token_claims(
        issuer=ISSUER,
        subject="u",
        client_id=CLIENT,
        now=NOW,
        lifetime=60,
        nonce=NONCE,
        access_token="at",
        alg="EdDSA",
    )
    check_id_token(
        ours, issuers=[ISSUER], client_id=CLIENT, nonce=NONCE, now=NOW, access_token="at", alg="EdDSA"
    )


@pytest.mark.parametrize(
    ("alg", "characters"), [("ES256", 22), ("RS384", 32), ("PS512", 43), ("EdDSA", 43), ("Ed25519", 43)]
)
def test_a_half_hash_is_as_strong_as_its_signature(alg: str, characters: int) -> None:
    assert len(half_hash("token", alg)) == characters


def test_an_algorithm_without_a_hash_has_no_half_hash() -> None:
    with pytest.raises(ValueError, match=r"^nobody knows which hash goes with Ed448$"):
        half_hash("token", "Ed448")


def test_an_upstream_s_good_token_is_taken() -> None:
    check()
    check({"aud": [CLIENT]})
    check({"aud": [CLIENT, "other"], "azp": CLIENT})
    check({"nonce": None}, nonce=None)  # of a refresh (section 12.2)
    check({"iat": NOW - 86400, "sub": "a" * 255})


@pytest.mark.parametrize("nonce", [None, "", "another", 7, NONCE + "\ud800"])
def test_id_token_with_wrong_nonce(nonce: object) -> None:
    assert refusal({"nonce": nonce}) == "the ID token does not have the nonce of this sign-in"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"aud": "other"}, "the ID token is for another audience"),
        ({"aud": None}, "the ID token lacks a proper aud claim"),
        ({"aud": [CLIENT, "other"]}, "the ID token has several audiences and no azp"),
        ({"aud": [CLIENT, "other"], "azp": "other"}, "the ID token was made for another client"),
        ({"azp": "other"}, "the ID token was made for another client"),
        ({"azp": [CLIENT]}, "the ID token was made for another client"),
    ],
)
def test_id_token_with_wrong_audience(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(changes) == sentence


@pytest.mark.parametrize("issuer", [None, "https://evil.example", f"{ISSUER}/", [ISSUER]])
def test_id_token_with_wrong_issuer(issuer: object) -> None:
    assert refusal({"iss": issuer}) == "the ID token is from another issuer"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": NOW - 31}, "the ID token has expired"),
        ({"exp": None}, "the ID token lacks a proper exp claim"),
        ({"iat": NOW - 86401}, "the ID token was issued long ago"),
    ],
)
def test_id_token_that_expired(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(changes) == sentence


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_id_token_from_the_future(claim: str) -> None:
    assert refusal({claim: NOW + 31}) == "the ID token is not valid yet"


def test_id_token_without_a_time_or_a_subject() -> None:
    assert refusal({"iat": None}) == "the ID token lacks a proper iat claim"
    assert refusal({"iat": True}) == "the ID token lacks a proper iat claim"
    assert refusal({"sub": ""}) == "the ID token lacks a proper sub claim"
    assert refusal({"sub": 7}) == "the ID token lacks a proper sub claim"
    assert refusal({"sub": "ä" * 128}) == "the ID token's sub is longer than 255 bytes"


def test_max_age_wants_to_know_when_the_person_signed_in() -> None:
    check({"auth_time": NOW - 60}, max_age=60)
    absent = "the ID token does not say when the person signed in, which max_age asks for"
    assert refusal(max_age=60) == absent
    assert refusal({"auth_time": "now"}, max_age=60) == absent
    assert refusal({"auth_time": True}, max_age=60) == absent
    longer = "the person signed in longer ago than max_age allows"
    assert refusal({"auth_time": NOW - 91}, max_age=60) == longer
    assert refusal({"auth_time": float("nan")}, max_age=60) == longer
    assert refusal({"auth_time": NOW + 31}, max_age=60) == longer


def test_id_token_of_another_access_token_is_refused() -> None:
    check({"at_hash": half_hash("mine", "RS256")}, access_token="mine", alg="RS256")
    check({"at_hash": None}, access_token="mine")
    check({"at_hash": half_hash("mine", "RS256")})  # nothing came with it that it could belong to
    swapped = "the ID token belongs to another access token: its at_hash differs"
    assert refusal({"at_hash": half_hash("evil", "RS256")}, access_token="mine", alg="RS256") == swapped
    assert refusal({"at_hash": 7}, access_token="mine") == swapped
    assert refusal({"at_hash": "x"}, access_token="mine", alg="Ed448") == (
        "the ID token's at_hash can't be checked: nobody knows which hash goes with Ed448"
    )


ENTRA = "https://login.microsoftonline.com/{tenantid}/v2.0"
TENANT = "9122040d-6c67-4c5b-b112-36a304b66dad"


@pytest.mark.parametrize(
    ("issuer", "tenant", "good"),
    [
        (ENTRA.replace("{tenantid}", TENANT), TENANT, True),
        (ENTRA.replace("{tenantid}", TENANT), "another", False),
        (ENTRA.replace("{tenantid}", "a/../b"), "a/../b", False),
        (ENTRA.replace("{tenantid}", ""), "", False),
        (ENTRA, "{tenantid}", False),
        (ENTRA.replace("{tenantid}", TENANT), None, False),
        (ENTRA.replace("{tenantid}", TENANT), [TENANT], False),
    ],
)
def test_a_tenant_s_issuer_is_that_of_its_own_tenant(issuer: str, tenant: object, good: bool) -> None:
    assert issuer_matches(ENTRA, {"iss": issuer, "tid": tenant}) is good


def test_a_refusal_never_quotes_the_token_in_its_sentence() -> None:
    with pytest.raises(IdTokenRefused) as refused:
        check({"iss": "https://evil.example"})
    assert "evil" not in str(refused.value)
    assert refused.value.detail == "issuer 'https://evil.example'"
