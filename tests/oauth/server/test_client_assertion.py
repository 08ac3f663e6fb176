"""A client's signed statement about itself, RFC 7523 section 3."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey

from ostiary.oauth.client.client_assertion import client_assertion
from ostiary.oauth.jwt_parts import jwt_parts
from ostiary.oauth.server.client_assertion import check_client_assertion
from ostiary.oauth.server.errors import InvalidClient

NOW = 1_800_000_000.0
ISSUER, ENDPOINT = "https://auth.example", "https://auth.example/oauth/token"
GOOD: dict[str, Any] = {"iss": "cli", "sub": "cli", "aud": ISSUER, "jti": "j-1", "exp": NOW + 60}


def check(changes: dict[str, Any] | None = None, *, typ: object = None) -> str:
    claims = {name: value for name, value in (GOOD | (changes or {})).items() if value is not None}
    return check_client_assertion(
        claims, client_id="cli", audiences=[ISSUER, ENDPOINT], now=NOW, max_life=300, typ=typ
    )


def refusal(changes: dict[str, Any] | None = None, *, typ: object = None) -> str:
    with pytest.raises(InvalidClient) as refused:
        check(changes, typ=typ)
    return refused.value.description


@pytest.mark.parametrize("audience", [ISSUER, ENDPOINT, [ISSUER], [ISSUER, ENDPOINT]])
def test_issuer_and_endpoint_are_each_an_audience(audience: object) -> None:
    assert check({"aud": audience}) == "j-1"


@pytest.mark.parametrize("typ", [None, "JWT", "client-authentication+jwt", "application/jwt"])
def test_a_type_that_fits_is_taken(typ: str | None) -> None:
    assert check(typ=typ) == "j-1"


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "oauth-id-jag+jwt", "", 7, ["JWT"]])
def test_another_jwt_of_the_client_is_no_statement_about_itself(typ: object) -> None:
    assert refusal(typ=typ) == "the client assertion is another kind of JWT"


def test_what_our_own_client_makes_is_good() -> None:
    made = client_assertion(
        "cli", audience=ENDPOINT, key=ECKey.generate_key("P-256"), key_id=None, now=NOW, jti="j-2"
    )
    jwt = jwt_parts(made)
    assert check(jwt.claims, typ=jwt.header["typ"]) == "j-2"


@pytest.mark.parametrize(
    "changes", [{"iss": "other"}, {"sub": "other"}, {"iss": None}, {"sub": None}, {"sub": ["cli"]}]
)
def test_assertion_of_another_client(changes: dict[str, Any]) -> None:
    assert refusal(changes) == "the client assertion's iss and sub are not both the client_id"


@pytest.mark.parametrize(
    ("audience", "sentence"),
    [
        ("https://other.example", "the client assertion is for another audience"),
        (f"{ISSUER}/", "the client assertion is for another audience"),
        (None, "the client assertion lacks a proper aud claim"),
        ([], "the client assertion lacks a proper aud claim"),
        ([{"aud": ISSUER}], "the client assertion lacks a proper aud claim"),
        ([ISSUER, "https://other.example"], "the client assertion is for somebody else as well"),
    ],
)
def test_assertion_with_wrong_audience(audience: object, sentence: str) -> None:
    assert refusal({"aud": audience}) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": NOW - 30}, "the client assertion has expired"),
        ({"exp": None}, "the client assertion lacks a proper exp claim"),
        ({"exp": "tomorrow"}, "the client assertion lacks a proper exp claim"),
        ({"nbf": NOW + 31}, "the client assertion is not valid yet"),
        ({"iat": NOW + 31}, "the client assertion is not valid yet"),
        ({"exp": NOW + 331}, "the client assertion is good for longer than 300 seconds"),
        ({"exp": 1e14}, "the client assertion is good for longer than 300 seconds"),
    ],
)
def test_assertion_expired_or_without_end(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(changes) == sentence


@pytest.mark.parametrize("jti", [None, "", 7, "x" * 257, "a\0b"])
def test_assertion_that_could_be_replayed_as_it_has_no_name(jti: object) -> None:
    assert refusal({"jti": jti}) == "the client assertion lacks a jti of 1 to 256 printable characters"
