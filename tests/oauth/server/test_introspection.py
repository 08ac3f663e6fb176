"""What a token is worth now, RFC 7662 section 2.2."""

from __future__ import annotations

import json

import pytest

from ostiary.oauth.server.introspection import INACTIVE, active_answer

CLAIMS = {
    "iss": "i",
    "sub": "u",
    "aud": "r",
    "client_id": "c",
    "scope": "a b",
    "exp": 2,
    "iat": 1,
    "jti": "j",
}


def test_a_good_token_is_told_whole() -> None:
    assert active_answer(CLAIMS, username="ada@example.org") == {
        "active": True,
        **CLAIMS,
        "token_type": "Bearer",
        "username": "ada@example.org",
    }


def test_whatever_is_not_good_is_told_alike() -> None:
    assert json.dumps(INACTIVE) == '{"active": false}'


def test_who_is_not_known_has_no_name() -> None:
    assert "username" not in active_answer(CLAIMS)


@pytest.mark.parametrize(
    ("bound", "token_type"),
    [(None, "Bearer"), ({"x5t#S256": "a"}, "Bearer"), ({"jkt": "a"}, "DPoP"), ("jkt", "Bearer")],
)
def test_a_bound_token_says_how_it_is_sent(bound: object, token_type: str) -> None:
    assert active_answer(CLAIMS | {"cnf": bound})["token_type"] == token_type


def test_a_refresh_token_is_not_sent_to_anybody() -> None:
    assert active_answer(CLAIMS, token_type="N_A")["token_type"] == "N_A"


def test_no_tsid_in_an_answer() -> None:
    assert "tsid" not in active_answer(CLAIMS | {"tsid": "secret"})


def test_a_claim_can_t_make_a_token_inactive_or_another_s() -> None:
    answer = active_answer(CLAIMS | {"active": False, "username": "x", "token_type": "x"}, username="ada")
    assert (answer["active"], answer["username"], answer["token_type"]) == (True, "ada", "Bearer")
