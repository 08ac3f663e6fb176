"""What our access tokens say, RFC 9068 section 2.2."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims, client_of, scopes_of
from ostiary.oauth.server.access_token import RESERVED, access_token_claims, fitting_claims

NOW = 1_800_000_000.7
PLAIN: dict[str, Any] = {
    "issuer": "https://auth.example",
    "subject": "u-1",
    "audience": "https://mcp.example/mcp",
    "client_id": "cli",
    "scopes": ["mcp", "more"],
    "jti": "j-1",
    "now": NOW,
    "lifetime": 900,
}


def test_a_token_has_the_claims_of_the_rfc_in_whole_seconds() -> None:
    assert access_token_claims(**PLAIN) == {
        "iss": "https://auth.example",
        "sub": "u-1",
        "aud": "https://mcp.example/mcp",
        "client_id": "cli",
        "scope": "mcp more",
        "jti": "j-1",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
    }


def test_what_it_may_have_besides_stands_in_its_own_claim() -> None:
    token = access_token_claims(
        **PLAIN | {"scopes": []},
        tsid="t",
        claims={"groups": ["a"]},
        confirmation={"jkt": "k"},
        act={"sub": "agent"},
        auth_time=1_799_999_999.9,
    )
    assert "scope" not in token
    assert {name: token[name] for name in ("tsid", "groups", "cnf", "act", "auth_time")} == {
        "tsid": "t",
        "groups": ["a"],
        "cnf": {"jkt": "k"},
        "act": {"sub": "agent"},
        "auth_time": 1_799_999_999,
    }


def test_a_gateway_reads_what_we_write() -> None:
    token = access_token_claims(**PLAIN)
    check_claims(token, issuers={"https://auth.example"}, audiences={"https://mcp.example/mcp"}, now=NOW)
    assert (scopes_of(token), client_of(token)) == (frozenset({"mcp", "more"}), "cli")
    with pytest.raises(InvalidToken, match="the token has expired"):
        check_claims(
            token, issuers={"https://auth.example"}, audiences={"https://mcp.example/mcp"}, now=NOW + 931
        )


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_an_upstream_can_t_say_what_only_we_say(name: str) -> None:
    assert access_token_claims(**PLAIN, claims={name: "evil"}) == access_token_claims(**PLAIN)
    assert fitting_claims({name: "evil"}, [name]) == ({}, [name])


def test_only_the_claims_that_are_wanted_are_taken_in_their_order() -> None:
    claims = {"email": "a@example.org", "groups": ["x"], "phone": "1", "name": None}
    fitting = fitting_claims(claims, ["groups", "email", "groups", "name", "absent"])
    assert list(fitting.claims.items()) == [("groups", ["x"]), ("email", "a@example.org")]
    assert fitting.left_out == []


def test_a_claim_too_large_is_left_out_whole_and_named() -> None:
    claims = {"groups": ["g" * 10] * 400, "email": "a@example.org"}
    assert fitting_claims(claims, ["groups", "email"]) == ({"email": "a@example.org"}, ["groups"])


def test_all_claims_together_have_one_limit() -> None:
    claims = {"a": "x" * 50, "b": "y" * 50, "c": "z"}
    assert fitting_claims(claims, ["a", "b", "c"], max_bytes=80).left_out == ["b"]


def test_a_claim_that_no_token_can_hold_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert fitting_claims({"deep": deep, "lone": "\ud800"}, ["deep", "lone"]).left_out == ["deep", "lone"]
    while deep:
        deep = deep.pop()
