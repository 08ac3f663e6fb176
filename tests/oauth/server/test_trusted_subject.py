"""Tokens of issuers that are not us: access tokens are told from ID tokens, workloads by their names."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.trusted_subject import check_pattern, check_subject_token, matches_subject

NOW = 1_800_000_000.0
IDP, RESOURCE = "https://sso.example", "https://mcp.example/mcp"
GOOD: dict[str, Any] = {"iss": IDP, "sub": "ada", "aud": RESOURCE, "exp": NOW + 60, "azp": "web"}


def check(changes: dict[str, Any] | None = None, typ: object = "JWT", required: str | None = None) -> str:
    claims = {name: value for name, value in (GOOD | (changes or {})).items() if value is not None}
    return check_subject_token(claims, typ, issuer=IDP, audiences=[RESOURCE], required_typ=required, now=NOW)


def refusal(changes: dict[str, Any] | None = None, typ: object = "JWT", required: str | None = None) -> str:
    with pytest.raises(InvalidRequest) as refused:
        check(changes, typ, required)
    return refused.value.description


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "application/at+jwt"])
def test_an_access_token_of_a_trusted_issuer_gives_its_subject(typ: str | None) -> None:
    assert check(typ=typ) == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"s_hash": "h"},
        {"nonce": ""},
        {"token_use": "id"},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"aud": RESOURCE, "azp": RESOURCE},
    ],
)
def test_foreign_id_token_is_no_access_token(changes: dict[str, Any]) -> None:
    assert refusal(changes) == "the subject token is not an access token"


def test_the_log_says_what_gave_an_id_token_away() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check({"nonce": "n"})
    assert refused.value.detail == "it has nonce, as an ID token has"
    with pytest.raises(InvalidRequest) as refused:
        check({"azp": RESOURCE})
    assert refused.value.detail == "its audience is its own client, as an ID token's is"


def test_foreign_id_token_for_a_client_has_a_wrong_audience() -> None:
    assert refusal({"aud": "web"}) == "the subject token is for another audience"


@pytest.mark.parametrize("typ", ["dpop+jwt", "oauth-id-jag+jwt", "logout+jwt", "", 7, ["JWT"]])
def test_a_jwt_that_says_it_is_something_else_is_refused(typ: object) -> None:
    assert refusal(typ=typ) == "the subject token is another kind of JWT"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", 7])
def test_the_type_that_an_issuer_writes_is_enforced(typ: object) -> None:
    assert check(typ="AT+JWT", required="at+jwt") == "ada"
    assert check(typ="access+jwt", required="access+jwt") == "ada"
    assert (
        refusal(typ=typ, required="at+jwt")
        == "the subject token is not an access token: its typ is not at+jwt"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"iss": "https://evil.example"}, "the subject token is from an issuer that is not accepted here"),
        ({"aud": None}, "the subject token lacks a proper aud claim"),
        ({"aud": "https://other.example"}, "the subject token is for another audience"),
        ({"exp": NOW - 30}, "the subject token has expired"),
        ({"sub": None}, "the subject token lacks a proper sub claim"),
    ],
)
def test_each_fault_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(changes) == sentence


SERVICE_ACCOUNT = "system:serviceaccount:ci:runner"


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        (SERVICE_ACCOUNT, SERVICE_ACCOUNT, True),
        ("system:serviceaccount:ci:*", SERVICE_ACCOUNT, True),
        ("system:serviceaccount:*:runner", SERVICE_ACCOUNT, True),
        ("system:serviceaccount:ci:run*", SERVICE_ACCOUNT, True),
        ("system:serviceaccount:ci:*er", SERVICE_ACCOUNT, True),
        ("system:serviceaccount:c*:runner", SERVICE_ACCOUNT, True),
        ("repo:org/app:*", "repo:org/app:ref:refs/heads/main", True),
        ("repo:org/*:ref:refs/heads/main", "repo:org/app:ref:refs/heads/main", True),
        ("system:serviceaccount:ci:*", "system:serviceaccount:ci:", False),
        ("system:serviceaccount:ci:*", "system:serviceaccount:ci", False),
        ("system:serviceaccount:ci:*", "system:serviceaccount:ci-evil:runner", False),
        ("system:serviceaccount:ci:*", "system/serviceaccount/ci/runner", False),
        ("system:serviceaccount:*:runner", "system:serviceaccount:a:b:runner", False),
        ("system:serviceaccount:ci:runner*", SERVICE_ACCOUNT, False),
        ("repo:org/app*", "repo:org/app-evil:ref:refs/heads/main", False),
        ("repo:org/*:ref:refs/heads/main", "repo:org/a/b:ref:refs/heads/main", False),
        ("system:serviceaccount:ci:runne.", SERVICE_ACCOUNT, False),
        ("system:serviceaccount:ci:runner", SERVICE_ACCOUNT + "\n", False),
        ("System:serviceaccount:ci:runner", SERVICE_ACCOUNT, False),
        ("system:serviceaccount:ci:run*", "system:serviceaccount:ci:overrun", False),
        ("system:serviceaccount:ci:*er", "system:serviceaccount:ci:erased", False),
        ("*", "anybody:at:all", False),
    ],
)
def test_a_star_stays_in_its_segment(pattern: str, subject: str, fits: bool) -> None:
    assert matches_subject(pattern, subject) is fits


def test_a_pattern_that_can_be_meant_is_taken() -> None:
    for pattern in (SERVICE_ACCOUNT, "system:serviceaccount:ci:*", "repo:org/*:*"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("", "a subject pattern is printable text"),
        ("a\nb", "a subject pattern is printable text"),
        ("*", "a subject pattern of nothing but * would fit everybody; name what is the same for all"),
        ("*:*/*", "a subject pattern of nothing but * would fit everybody; name what is the same for all"),
        ("ci:a*b*", "a subject pattern has at most one * between two of its colons or slashes"),
    ],
)
def test_a_pattern_that_can_t_be_meant_is_refused(pattern: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_pattern(pattern)
    assert str(refused.value) == sentence
