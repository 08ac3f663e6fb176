"""What a verified token must claim, RFC 7519 section 4.1."""

from typing import Any

import pytest

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims, client_of, scopes_of

NOW = 1_800_000_000.0
GOOD = {"iss": "https://a.example", "aud": "https://b.example", "sub": "ada", "exp": NOW + 60, "iat": NOW}


def check(**changes: Any) -> None:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not None}
    check_claims(claims, issuers=["https://a.example"], audiences=["https://b.example"], now=NOW)


def test_a_good_token_passes() -> None:
    check()
    check(aud=["https://other.example", "https://b.example"])


def test_a_little_clock_difference_is_forgiven() -> None:
    check(exp=NOW - 29)
    check(nbf=NOW + 29, iat=NOW + 29)


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"exp": NOW - 30}, "expired", "it expired 30 seconds ago"),
        ({"exp": None}, "missing_claim", "claim exp is absent or of the wrong type"),
        ({"exp": "soon"}, "missing_claim", "claim exp is absent or of the wrong type"),
        ({"exp": True}, "missing_claim", "claim exp is absent or of the wrong type"),
        ({"exp": float("inf")}, "missing_claim", "claim exp is absent or of the wrong type"),
        ({"exp": float("nan")}, "missing_claim", "claim exp is absent or of the wrong type"),
        ({"nbf": NOW + 31}, "not_yet_valid", "its nbf is 31 seconds ahead of our clock"),
        ({"iat": NOW + 3600}, "not_yet_valid", "its iat is 3600 seconds ahead of our clock"),
        (
            {"iss": "https://a.example/"},
            "wrong_issuer",
            "issuer 'https://a.example/' is none of 'https://a.example'",
        ),
        ({"iss": None}, "missing_claim", "claim iss is absent or of the wrong type"),
        (
            {"aud": "https://b.example/mcp"},
            "wrong_audience",
            "audience 'https://b.example/mcp' is none of 'https://b.example'",
        ),
        ({"aud": []}, "missing_claim", "claim aud is absent or of the wrong type"),
        ({"aud": [1]}, "missing_claim", "claim aud is absent or of the wrong type"),
        ({"sub": ""}, "missing_claim", "claim sub is absent or of the wrong type"),
    ],
)
def test_each_fault_has_its_own_reason(changes: dict[str, Any], reason: str, detail: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        check(**changes)
    assert (refused.value.reason, refused.value.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b", 3]}, {"a", "b"}),
        ({"scp": "a"}, {"a"}),
        ({"scope": 7}, set()),
    ],
)
def test_scopes_are_read_however_issuers_write_them(claims: dict[str, Any], scopes: set[str]) -> None:
    assert scopes_of(claims) == scopes


def test_the_client_is_client_id_or_else_azp() -> None:
    assert client_of({"client_id": "a", "azp": "b"}) == "a"
    assert client_of({"azp": "b"}) == "b"
    assert client_of({"client_id": None, "azp": "b"}) == "b"
    assert client_of({}) is None


def test_a_claim_that_is_null_hides_no_other() -> None:
    assert scopes_of({"scope": None, "scp": ["a", "b"]}) == {"a", "b"}
    assert scopes_of({"scope": None}) == scopes_of({"scp": None}) == frozenset()
