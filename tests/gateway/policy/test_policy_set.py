"""What one set of policies decides."""

from __future__ import annotations

import json
from typing import Any

import cedarpy
import pytest
from tests.gateway.policy.conftest import ISSUER, policies, principal

from ostiary.gateway.policy.access import Access, Action, Hints, Kind, is_roundabout, read_hints, use_of
from ostiary.gateway.policy.entities import principal_entity, thing_entity
from ostiary.gateway.policy.loading import schema_text

FEED = use_of("tools", "zoo", "feed")
ALL = "permit(principal, action, resource);"
ZOO = Access(Action.LIST, Kind.SERVER, "zoo")


@pytest.mark.parametrize(
    ("condition", "claims", "is_allowed"),
    [
        (f'principal == Principal::"{ISSUER}#ada"', {}, True),
        (f'principal == Principal::"{ISSUER}#ada"', {"iss": "https://other.example.com"}, False),
        ('principal in Group::"a"', {"groups": ["b", "a"]}, True),
        ('principal in Group::"a"', {"groups": "a"}, True),
        ('principal in Group::"a"', {"groups": [["a"], {"a": 1}]}, False),
        ('principal.groups.contains("a")', {"groups": ["a"]}, True),
        ('principal has client && principal.client == "cli"', {"client_id": "cli"}, True),
        ('principal has client && principal.client == "cli"', {}, False),
        (
            'principal has email && principal.email like "*@x.y"',
            {"email": "a@x.y", "email_verified": True},
            True,
        ),
        (
            'principal has email && principal.email like "*@x.y"',
            {"email": "a@x.y", "email_verified": "true"},
            False,
        ),
        ('principal has email && principal.email like "*@x.y"', {"email": "a@x.y"}, False),
        ('principal.hasTag("d") && principal.getTag("d").contains("x")', {"d": "x"}, True),
        ('principal.hasTag("d") && principal.getTag("d").contains("true")', {"d": [True, 1]}, True),
        ('principal.hasTag("a.b") && principal.getTag("a.b").contains("x")', {"a": {"b": ["x"]}}, True),
        ('principal.hasTag("a.b")', {"a": {"b": {"c": 1}}}, False),
        ('principal.hasTag("d")', {"d": None}, False),
        ('principal.scopes.contains("s")', {"scp": ["s"]}, True),
    ],
)
def test_what_a_token_says_decides(condition: str, claims: dict[str, Any], is_allowed: bool) -> None:
    made = policies(f"permit(principal, action, resource) when {{ {condition} }};")
    assert made.decide(principal(**claims), FEED, {}).is_allowed is is_allowed
    assert made.decide(None, FEED, {}).is_allowed is False


def test_whoever_has_not_said_who_they_are_is_nobody_in_particular() -> None:
    assert policies(ALL).decide(None, FEED, {}).is_allowed
    known = policies("permit(principal, action, resource) when { principal.authenticated };")
    assert not known.decide(None, FEED, {}).is_allowed
    assert known.decide(principal(), FEED, {}).is_allowed


def test_a_name_cannot_end_its_quotes_and_begin_another() -> None:
    made = policies('permit(principal, action, resource == Tool::"zoo/a") when { resource.name == "a" };')
    for name in ('a" || true || "', "a\n", "a\\", 'a"', "\ud800"):
        assert not made.decide(principal(), use_of("tools", "zoo", name), {}).is_allowed
    assert not made.decide(principal(sub='x" in Group::"a'), use_of("tools", "zoo", "b"), {}).is_allowed
    assert not made.decide(principal(sub="\ud800"), use_of("tools", "zoo", "a"), {}).is_allowed


def test_a_server_whose_name_is_in_anothers_tool_is_not_that_server() -> None:
    made = policies('permit(principal, action, resource in Server::"zoo");')
    assert made.decide(principal(), FEED, {}).is_allowed
    assert not made.decide(principal(), use_of("tools", "other", "zoo/feed"), {}).is_allowed


def test_what_forbids_has_the_last_word_and_is_named() -> None:
    made = policies(
        f'{ALL} @id("no") @reason("closed") forbid(principal, action, resource == Tool::"zoo/feed");'
    )
    decision = made.decide(principal(), FEED, {})
    assert (decision.is_allowed, decision.policies) == (False, ("no",))
    assert made["no"].reason == "closed"


@pytest.mark.parametrize(
    ("condition", "has", "lacks"),
    [
        ('principal.scopes.contains("a")', "", ("a",)),
        ('principal.scopes.contains("a") && principal.scopes.contains("b")', "a", ("a", "b")),
        ('principal.scopes.containsAll(["a", "b"])', "c", ("a", "b")),
        ('principal.scopes.containsAny(["a", "b"])', "", ("b",)),
        ('principal.scopes.contains("a") || principal.scopes.contains("b")', "", ("b",)),
        ('principal.scopes.contains("a") && principal in Group::"g"', "", ()),
        ('principal in Group::"g"', "", ()),
    ],
)
def test_the_scopes_that_a_token_lacks_are_all_that_are_needed(
    condition: str, has: str, lacks: tuple[str, ...]
) -> None:
    made = policies(f"permit(principal, action, resource) when {{ {condition} }};")
    assert made.decide(principal(scope=has), FEED, {}).scopes == lacks
    assert made.shows(principal(scope=has), FEED) is bool(lacks)


def test_scopes_help_nobody_whom_a_policy_forbids_it() -> None:
    made = policies(
        'permit(principal, action, resource) when { principal.scopes.contains("a") };'
        'forbid(principal, action, resource) unless { principal.scopes.contains("b") };'
        'forbid(principal, action, resource == Tool::"zoo/burn");'
    )
    assert made.decide(principal(), FEED, {}).scopes == ("a", "b")
    assert made.decide(principal(), use_of("tools", "zoo", "burn"), {}).scopes == ()


ARGUED = """
permit(principal, action == Action::"call_tool", resource in Server::"zoo")
when { context.arguments has path && context.arguments.path like "/public/*" && principal in Group::"g" }
unless { context.arguments has force && context.arguments.force };
forbid(principal, action == Action::"call_tool", resource)
when { context.arguments has path && context.arguments.path == "/public/x" };
"""


def test_a_tool_whose_arguments_decide_is_shown_to_whoever_could_call_it() -> None:
    made = policies(ARGUED)
    assert made.shows(principal(groups=["g"]), FEED)
    assert not made.shows(principal(), FEED)
    assert not made.shows(principal(groups=["g"]), use_of("tools", "other", "feed"))
    foreseen = made.foresee(principal(groups=["g"]), FEED)
    assert (foreseen.is_allowed, foreseen.is_for_now) == (True, True)
    assert made.arguments_of(FEED) == {"path": "String", "force": "Bool"}
    assert made.arguments_of(use_of("tools", "other", "x")) == {"path": "String"}


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ('permit(principal, action, resource == Tool::"zoo/feed");', True),
        ("permit(principal, action, resource is Tool);", True),
        ('permit(principal, action, resource is Tool in Server::"zoo");', True),
        ('permit(principal, action, resource is Tool in Server::"other");', False),
        ('permit(principal, action, resource == Tool::"other/feed");', False),
        ('permit(principal, action, resource) when { resource.server == "other" };', True),
        ('permit(principal in Group::"g", action, resource);', False),
        (f'{ALL} forbid(principal, action, resource in Server::"zoo");', False),
        (f'{ALL} forbid(principal, action == Action::"list", resource == Server::"zoo");', False),
        (f'{ALL} forbid(principal, action, resource == Tool::"zoo/feed");', True),
        (f'{ALL} forbid(principal, action, resource is Tool in Server::"zoo");', True),
    ],
)
def test_a_server_is_there_for_whoever_could_use_anything_of_it(text: str, sees: bool) -> None:
    assert policies(text).shows(principal(), ZOO) is sees


def test_policies_about_lists_show_more_and_hide_more() -> None:
    made = policies(
        'permit(principal, action == Action::"call_tool", resource in Server::"zoo");'
        'permit(principal, action == Action::"list", resource == Tool::"zoo/other");'
        'forbid(principal, action == Action::"list", resource == Tool::"zoo/feed");'
        'forbid(principal, action == Action::"call_tool", resource == Tool::"zoo/other");'
    )
    other = use_of("tools", "zoo", "other")
    assert (made.shows(principal(), FEED), made.foresee(principal(), FEED).is_allowed) == (False, True)
    assert (made.shows(principal(), other), made.foresee(principal(), other).is_allowed) == (True, False)


def test_a_policy_for_everything_shows_nothing_that_another_forbids_to_use() -> None:
    made = policies(f'{ALL} forbid(principal, action == Action::"call_tool", resource == Tool::"zoo/feed");')
    assert not made.shows(principal(), FEED)


def test_what_a_server_does_not_say_of_its_tool_is_as_mcp_has_it() -> None:
    assert read_hints(None) == read_hints({"readOnlyHint": "yes"}) == Hints(False, True, False, True)
    assert read_hints({"readOnlyHint": True, "destructiveHint": False}) == Hints(True, False, False, True)


@pytest.mark.parametrize("uri", ["note://one", "file:///a/..b/c..", "x://a/%41", "s://h/...", "data:,a.b"])
def test_a_plain_uri_goes_no_way_round(uri: str) -> None:
    assert not is_roundabout(uri)


def test_what_cedar_is_told_fits_the_schema() -> None:
    schema = cedarpy.Schema.from_str(schema_text({}))
    whole = principal(client_id="c", email="a@b", email_verified=True, groups=["g"], d=["x"], scope="s")
    things = [
        FEED,
        use_of("prompts", "zoo", "p"),
        use_of("resources", "zoo", "note://one"),
        ZOO,
    ]
    told = [principal_entity(whole, ["d"]), principal_entity(None, []), *map(thing_entity, things)]
    assert len(cedarpy.Entities.from_json_str(json.dumps(told), schema)) >= len(told)
