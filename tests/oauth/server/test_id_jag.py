"""An ID-JAG at the issuer that it is for, MCP enterprise-managed authorization."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.server.errors import InvalidGrant
from ostiary.oauth.server.id_jag import IdJag, check_id_jag

NOW = 1_800_000_000.0
IDP, OURS, RESOURCE = "https://sso.example", "https://auth.example", "https://mcp.example/mcp"
GOOD: dict[str, Any] = {
    "iss": IDP,
    "sub": "ada",
    "aud": OURS,
    "client_id": "cli",
    "resource": RESOURCE,
    "jti": "j-1",
    "iat": NOW - 1,
    "exp": NOW + 60,
    "scope": "mcp b",
}


def check(changes: dict[str, Any] | None = None, typ: object = "oauth-id-jag+jwt") -> IdJag:
    claims = {name: value for name, value in (GOOD | (changes or {})).items() if value is not None}
    return check_id_jag(claims, typ, issuer=IDP, our_issuer=OURS, client_id="cli", now=NOW, max_age=300)


def refusal(changes: dict[str, Any] | None = None, typ: object = "oauth-id-jag+jwt") -> str:
    with pytest.raises(InvalidGrant) as refused:
        check(changes, typ)
    return refused.value.description


def test_it_says_who_may_do_what_where() -> None:
    granted = check({"email": "ada@example.org"})
    assert (granted.issuer, granted.subject, granted.resource) == (IDP, "ada", RESOURCE)
    assert (granted.scopes, granted.jti) == (("b", "mcp"), "j-1")
    assert granted.claims["email"] == "ada@example.org"
    assert "example.org" not in repr(granted)


def test_lists_of_one_and_what_may_be_absent_are_taken() -> None:
    granted = check({"aud": [OURS], "resource": [RESOURCE], "scope": None})
    assert (granted.resource, granted.scopes) == (RESOURCE, ())
    assert check(typ="application/OAUTH-ID-JAG+JWT").jti == "j-1"


def test_its_name_is_remembered_as_long_as_it_would_be_taken() -> None:
    assert check().expires_at == NOW + 60 + 30
    assert check({"exp": NOW + 1e6}).expires_at == NOW - 1 + 300 + 30


@pytest.mark.parametrize(
    ("typ", "sentence"),
    [
        (None, "the assertion has no typ; only oauth-id-jag+jwt is taken here"),
        ("JWT", "the assertion has typ 'JWT'; only oauth-id-jag+jwt is taken here"),
        ("at+jwt", "the assertion has typ 'at+jwt'; only oauth-id-jag+jwt is taken here"),
        ("a\r\nb", "the assertion has typ 'a\\r\\nb'; only oauth-id-jag+jwt is taken here"),
        (["x"], "the assertion has typ ['x']; only oauth-id-jag+jwt is taken here"),
    ],
)
def test_an_unknown_type_is_named(typ: object, sentence: str) -> None:
    assert refusal(typ=typ) == sentence


@pytest.mark.parametrize("client", [None, "other", ["cli"]])
def test_another_client_s_assertion_is_refused(client: object) -> None:
    expected = "the assertion was given to another client than the one that sends it"
    assert refusal({"client_id": client}) == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"iss": "https://evil.example"}, "the assertion is from an issuer that is not accepted here"),
        ({"aud": "https://other.example"}, "the assertion is for another audience"),
        ({"aud": f"{OURS}/"}, "the assertion is for another audience"),
        ({"aud": RESOURCE}, "the assertion is for another audience"),
        ({"aud": [OURS, "https://other.example"]}, "the assertion has more audiences than our issuer"),
        ({"exp": NOW - 31}, "the assertion has expired"),
        ({"exp": None}, "the assertion lacks a proper exp claim"),
        ({"iat": None}, "the assertion lacks a proper iat claim"),
        ({"iat": NOW + 31}, "the assertion is not valid yet"),
        ({"iat": NOW - 331}, "the assertion is older than 300 seconds; ask the identity provider again"),
        ({"sub": None}, "the assertion lacks a proper sub claim"),
        ({"jti": None}, "the assertion lacks a jti of 1 to 256 printable characters"),
        ({"jti": ""}, "the assertion lacks a jti of 1 to 256 printable characters"),
        ({"jti": "a\0b"}, "the assertion lacks a jti of 1 to 256 printable characters"),
        ({"jti": "x" * 257}, "the assertion lacks a jti of 1 to 256 printable characters"),
        ({"resource": None}, "the assertion does not name exactly one resource"),
        ({"resource": [RESOURCE, RESOURCE]}, "the assertion does not name exactly one resource"),
        ({"resource": [""]}, "the assertion does not name exactly one resource"),
        ({"resource": [[RESOURCE]]}, "the assertion does not name exactly one resource"),
    ],
)
def test_each_fault_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(changes) == sentence
