"""Who acts for whom, RFC 8693 sections 4.1 and 4.4."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.server.delegation import Actor, may_act, nested_act, permit_delegation
from ostiary.oauth.server.errors import InvalidRequest

IDP = "https://sso.example"
AGENT = Actor(IDP, "agent", "agent-client")
MALFORMED = "the subject token's act is not a JSON object that names an actor by its sub"


def test_an_actor_says_who_it_is() -> None:
    assert AGENT.claims == {"iss": IDP, "sub": "agent", "client_id": "agent-client"}
    assert Actor(IDP, "agent").claims == {"iss": IDP, "sub": "agent"}


def test_who_acted_before_stands_inside() -> None:
    first = nested_act({"sub": "one"})
    second = nested_act({"sub": "two"}, first)
    assert nested_act(AGENT.claims, second) == {
        "iss": IDP,
        "sub": "agent",
        "client_id": "agent-client",
        "act": {"sub": "two", "act": {"sub": "one"}},
    }
    assert first == {"sub": "one"}


@pytest.mark.parametrize(
    "previous",
    [
        "one",
        [],
        {},
        7,
        False,
        {"iss": IDP},
        {"sub": ""},
        {"sub": 7},
        {"sub": "one", "iss": 7},
        {"sub": "one", "client_id": []},
        {"sub": "one", "act": "two"},
        {"sub": "one", "act": {"act": {"sub": "three"}}},
    ],
)
def test_a_malformed_act_inside_is_refused(previous: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        nested_act({"sub": "agent"}, previous)
    assert refused.value.description == MALFORMED


def test_a_chain_has_an_end() -> None:
    act: dict[str, Any] | None = None
    for _ in range(10):
        act = nested_act({"sub": "x"}, act)
    with pytest.raises(InvalidRequest) as refused:
        nested_act({"sub": "x"}, act)
    assert refused.value.description == "the subject token went through more than 10 actors"


def test_a_chain_that_never_ends_exhausts_nothing() -> None:
    act: dict[str, Any] = {"sub": "x"}
    act["act"] = act
    with pytest.raises(InvalidRequest, match="more than 10 actors"):
        nested_act({"sub": "x"}, act)


def test_a_chain_has_a_size() -> None:
    with pytest.raises(InvalidRequest) as refused:
        nested_act({"sub": "x"}, {"sub": "y", "note": "z" * 8192})
    assert refused.value.description == "the actors in the subject token's act take more than 8192 bytes"


@pytest.mark.parametrize(
    ("named", "good"),
    [
        ({"sub": "agent"}, True),
        ({"sub": "agent", "iss": IDP}, True),
        ({"client_id": "agent-client"}, True),
        ({"sub": "agent", "client_id": "agent-client"}, True),
        ({"sub": "agent", "iss": "https://other.example"}, False),
        ({"sub": "agent", "client_id": "other"}, False),
        ({"sub": "other", "client_id": "agent-client"}, False),
        ({"sub": "other"}, False),
        ({"iss": IDP}, False),
        ({}, False),
        ({"sub": "agent", "purpose": "billing"}, False),
        ({"sub": ["agent"]}, False),
        ({"sub": None}, False),
        (["agent"], False),
        ("agent", False),
        (None, False),
    ],
)
def test_may_act_names_the_actor_or_nobody(named: object, good: bool) -> None:
    assert may_act({"iss": IDP, "may_act": named}, AGENT) is good


def test_the_same_name_at_another_issuer_is_somebody_else() -> None:
    claims = {"iss": IDP, "may_act": {"sub": "agent"}}
    assert not may_act(claims, Actor("https://evil.example", "agent"))
    assert not may_act({"may_act": {"sub": "agent"}}, AGENT)


def test_a_client_of_ours_needs_no_issuer_to_be_named() -> None:
    assert may_act({"iss": "https://other.example", "may_act": {"client_id": "agent-client"}}, AGENT)


def test_an_actor_without_a_client_does_not_match_an_absent_one() -> None:
    named = {"sub": "agent", "client_id": None}
    assert not may_act({"iss": IDP, "may_act": named}, Actor(IDP, "agent"))


def permit(claims: dict[str, Any], *, allow_may_act: bool = True, allowed: tuple[str, ...] = ()) -> None:
    permit_delegation({"iss": IDP, **claims}, AGENT, allow_may_act=allow_may_act, allowed_actors=allowed)


def test_the_issuer_or_the_operator_may_agree() -> None:
    permit({"may_act": {"sub": "agent"}})
    permit({}, allow_may_act=False, allowed=("agent-client",))
    permit({}, allow_may_act=False, allowed=(f"{IDP}#agent",))


@pytest.mark.parametrize("allowed", ["agent", IDP, "https://evil.example#agent", "Agent-Client", ""])
def test_a_list_names_an_actor_whole(allowed: str) -> None:
    with pytest.raises(InvalidRequest):
        permit({}, allowed=(allowed,))


@pytest.mark.parametrize(
    ("claims", "allow_may_act", "rule"),
    [
        ({}, True, "is read"),
        ({"may_act": {"sub": "agent"}}, False, "is not read"),
        ({"may_act": {"sub": "other"}}, True, "is read"),
    ],
)
def test_delegation_that_nobody_agreed_to_is_refused(
    claims: dict[str, Any], allow_may_act: bool, rule: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        permit(claims, allow_may_act=allow_may_act)
    assert refused.value.description == (
        "nobody agreed that this actor may act for the subject: the subject token's may_act must name it, "
        "or the operator must list it"
    )
    assert refused.value.detail == f"actor ['agent-client', '{IDP}#agent'], may_act {rule}"
