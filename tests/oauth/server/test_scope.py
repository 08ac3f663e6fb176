"""Scopes, RFC 6749 sections 3.3 and 6."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.errors import InvalidScope
from ostiary.oauth.server.scope import allowed_scopes, narrowed, read_scope, write_scope

BAD_CHARACTER = "a scope has a character that RFC 6749 section 3.3 does not allow"


def test_scopes_keep_their_order_and_stand_once() -> None:
    assert read_scope("mcp openid mcp  files:read ") == ("mcp", "openid", "files:read")
    assert write_scope(("mcp", "openid")) == "mcp openid"
    assert read_scope(None) == ()
    assert read_scope(" ") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('mcp "', BAD_CHARACTER),
        ("a\\b", BAD_CHARACTER),
        ("a\tb", BAD_CHARACTER),
        ("a\r\nb", BAD_CHARACTER),
        ("mcp\x7f", BAD_CHARACTER),
        ("ümlaut", BAD_CHARACTER),
        ("x" * 4097, "the scope has more than 4096 characters"),
    ],
)
def test_a_malformed_scope_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidScope) as refused:
        read_scope(text)
    assert refused.value.description == why


def test_what_is_asked_for_is_granted_when_all_of_it_is_allowed() -> None:
    assert allowed_scopes(("b", "a"), allowed={"a", "b", "c"}, default=("c",)) == ("b", "a")


def test_nothing_asked_for_means_the_default() -> None:
    assert allowed_scopes((), allowed={"a", "b"}, default=["a", "b"]) == ("a", "b")


def test_unknown_scope() -> None:
    with pytest.raises(InvalidScope) as refused:
        allowed_scopes(("a", "admin"), allowed={"a"}, default=())
    assert refused.value.description == "the scope admin is unknown here, or not for this client"


def test_a_refreshed_token_may_have_less() -> None:
    assert narrowed(("a",), ("a", "b")) == ("a",)
    assert narrowed((), ("a", "b")) == ("a", "b")


@pytest.mark.parametrize("requested", [("a", "c"), ("A",)])
def test_refresh_with_wider_scope(requested: tuple[str, ...]) -> None:
    with pytest.raises(InvalidScope) as refused:
        narrowed(requested, ("a", "b"))
    assert refused.value.description == f"the scope {requested[-1]} was not granted"
