"""Answers of a token endpoint, RFC 6749 sections 5.1 and 5.2."""

from __future__ import annotations

import json

import pytest

from ostiary.oauth.token_response import (
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    in_brief,
    read_token_response,
)

GOOD = {"access_token": "abc", "token_type": "bearer"}


def read(answer: object, status: int = 200, wanted_type: str = "Bearer") -> TokenResponse:
    return read_token_response(
        status, "application/json", json.dumps(answer).encode(), wanted_type=wanted_type
    )


def test_everything_that_an_issuer_may_say_is_read() -> None:
    further = {"scope": "a b", "refresh_token": "r", "id_token": "i.d.t", "issued_token_type": "urn:x"}
    assert read(GOOD | further | {"expires_in": "60", "unknown": 1}) == TokenResponse(
        "abc", "bearer", 60.0, "a b", "r", "urn:x", "i.d.t"
    )


def test_tokens_do_not_show() -> None:
    response = read(GOOD | {"access_token": "tiger", "refresh_token": "tiger", "id_token": "tiger"})
    assert "tiger" not in repr(response)


def test_a_type_is_the_same_in_any_case_and_only_the_wanted_one_is_taken() -> None:
    assert read(GOOD | {"token_type": "N_A"}, wanted_type="n_a").token_type == "N_A"
    with pytest.raises(TokenResponseUnreadable, match="has token_type 'bearer', where DPoP was asked for"):
        read(GOOD, wanted_type="DPoP")


def test_a_refusal_with_status_200_is_one_all_the_same() -> None:
    with pytest.raises(TokenRequestRefused) as refused:
        read({"error": "bad_verification_code", "error_description": "It\r\nis over."})
    assert (refused.value.error, refused.value.description) == ("bad_verification_code", "It is over.")


def test_what_an_issuer_says_is_cut_short() -> None:
    assert in_brief("invalid_grant", "x" * 1000) == f"invalid_grant ({'x' * 300})"
    assert in_brief("invalid_grant", None) == "invalid_grant"


@pytest.mark.parametrize("expires_in", [True, 1e300, -1, "1e3", "٣", {}, "1" * 13])
def test_a_lifetime_that_is_no_number_of_seconds_is_refused(expires_in: object) -> None:
    with pytest.raises(TokenResponseUnreadable, match="which is no number of seconds"):
        read(GOOD | {"expires_in": expires_in})
