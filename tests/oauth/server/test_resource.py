"""What a token is for, RFC 8707 section 2."""

from __future__ import annotations

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.errors import InvalidTarget
from ostiary.oauth.server.resource import ResourcePattern, choose_resource, longest, same_resource

MCP = ResourcePattern.parse("https://mcp.example.com/mcp")
TEAM = ResourcePattern.parse("https://mcp.example.com/team/*")
HOST = ResourcePattern.parse("https://tools.example.com/*")

HIDDEN = "its path hides a slash, a dot or a control character in percent-encoding"
UNPRINTABLE = "it has white space, a control character or a character outside ASCII"
NO_URL = "it is not an absolute http or https URL with a plain host name"


def refusal(requested: list[str], patterns: list[ResourcePattern]) -> str:
    with pytest.raises(InvalidTarget) as refused:
        choose_resource(requested, patterns)
    return refused.value.description


@pytest.mark.parametrize(
    "text", ["https://mcp.example.com/mcp", "https://mcp.example.com/a/*", "https://h/*"]
)
def test_a_pattern_is_written_as_it_was_read(text: str) -> None:
    assert str(ResourcePattern.parse(text)) == text
    assert ResourcePattern.parse(text.replace("https://", "HTTPS://")) == ResourcePattern.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mcp", f"a resource is an http or https URL, and of this one {NO_URL}"),
        ("/mcp/*", f"a resource is an http or https URL, and of this one {NO_URL}"),
        ("https://*.example.com/mcp", f"a resource is an http or https URL, and of this one {NO_URL}"),
        (
            "https://h/a*",
            "a resource has no wildcard, but for a whole path at its end: https://host/path/*",
        ),
        (
            "https://h/*/b",
            "a resource has no wildcard, but for a whole path at its end: https://host/path/*",
        ),
        (
            "https://h/*/*",
            "a resource has no wildcard, but for a whole path at its end: https://host/path/*",
        ),
        (
            "https://h/a//*",
            "a path that stands for all below it ends in one slash and a star, without a query",
        ),
        (
            "https://h/a?b/*",
            "a path that stands for all below it ends in one slash and a star, without a query",
        ),
        ("https://h/a#b", "a resource is an http or https URL, and of this one it has a fragment"),
    ],
)
def test_a_pattern_that_could_be_misread_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        ResourcePattern.parse(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("https://mcp.example.com/mcp", MCP),
        ("HTTPS://MCP.Example.COM/mcp", MCP),
        ("https://mcp.example.com:443/mcp", MCP),
        ("https://mcp.example.com/%6dcp", MCP),
        ("https://mcp.example.com/team", TEAM),
        ("https://mcp.example.com/team/", TEAM),
        ("https://mcp.example.com/team/a/b", TEAM),
        ("https://tools.example.com", HOST),
        ("https://tools.example.com/", HOST),
        ("https://tools.example.com/any/thing", HOST),
        ("https://mcp.example.com/mcp/", None),
        ("https://mcp.example.com/MCP", None),
        ("https://mcp.example.com/mcp-evil", None),
        ("https://mcp.example.com/mcp/below", None),
        ("https://mcp.example.com/mcp?x=1", None),
        ("https://mcp.example.com/mcp?", None),
        ("https://mcp.example.com", None),
        ("https://mcp.example.com/", None),
        ("https://mcp.example.com/team-evil", None),
        ("https://mcp.example.com/Team/a", None),
        ("https://mcp.example.com/team/a?x=1", None),
        ("https://mcp.example.com/%74eam-evil", None),
        ("https://mcp.example.com:8443/mcp", None),
        ("http://mcp.example.com/mcp", None),
        ("http://mcp.example.com:443/mcp", None),
        ("https://mcp.example.com.evil.example/mcp", None),
        ("https://evil-mcp.example.com/mcp", None),
        ("https://tools.example.com.evil.example/", None),
        ("https://xn--mp-xmc.example.com/mcp", None),
        ("https://mcp.example.com//mcp", None),
        ("https://mcp.example.com/team;/a", None),
    ],
)
def test_resource_matching_table(written: str, pattern: ResourcePattern | None) -> None:
    patterns = {MCP: MCP, TEAM: TEAM, HOST: HOST}
    assert longest(patterns, canonical_url(written)) is pattern
    if pattern is None:
        assert refusal([written], [*patterns]) == (
            f"the resource {canonical_url(written)} is unknown here, or not for this client"
        )
    else:
        assert choose_resource([written], [*patterns]) == canonical_url(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("https://mcp.example.com/mcp/../admin", "its path has a dot segment"),
        ("https://mcp.example.com/team/./a", "its path has a dot segment"),
        ("https://mcp.example.com/team/%2e%2e/mcp", HIDDEN),
        ("https://mcp.example.com/team%2Fa", HIDDEN),
        ("https://mcp.example.com/team%5ca", HIDDEN),
        ("https://user@mcp.example.com/mcp", "it has a user name or password in it"),
        ("https://mcp.example.com@evil.example/mcp", "it has a user name or password in it"),
        ("https://evil.example\\@mcp.example.com/mcp", "it has a backslash"),
        ("https://mcp.example.com/mcp#x", "it has a fragment"),
        ("https://mcp.example.com/mcp#", "it has a fragment"),
        ("https://mсp.example.com/mcp", UNPRINTABLE),  # noqa: RUF001 - a Cyrillic letter
        ("https://ⓜcp.example.com/mcp", UNPRINTABLE),
        ("https://mcp.example.com/mcp\n", UNPRINTABLE),
        ("https://mcp.example.com./mcp", "its host is not a plain DNS name"),
        ("https://mcp.example.com:0443/mcp", "its port is not a number from 1 to 65535"),
        ("/mcp", NO_URL),
        ("mcp.example.com/mcp", NO_URL),
        ("https:/mcp.example.com/mcp", NO_URL),
        ("urn:example:mcp", NO_URL),
    ],
)
def test_a_resource_that_could_be_misread_is_refused(written: str, why: str) -> None:
    assert refusal([written], [MCP, TEAM, HOST]) == f"the resource is refused: {why}"
    with pytest.raises(InvalidTarget) as refused:
        same_resource([written], MCP.url)
    assert refused.value.description == f"the resource is refused: {why}"


def test_the_longest_pattern_wins_and_a_resource_comes_before_its_path() -> None:
    names = ["https://h/*", "https://h/a/*", "https://h/a", "https://h/a/b/*"]
    patterns = {ResourcePattern.parse(name): name for name in names}
    for url, name in [
        ("https://h/x", "https://h/*"),
        ("https://h/a", "https://h/a"),
        ("https://h/a/x", "https://h/a/*"),
        ("https://h/a/b", "https://h/a/b/*"),
        ("https://h/a/bc", "https://h/a/*"),
    ]:
        assert longest(patterns, canonical_url(url)) == name
        assert longest(dict(reversed(patterns.items())), canonical_url(url)) == name


def test_no_resource_means_the_only_one() -> None:
    assert choose_resource([], [MCP]) == MCP.url


def test_resource_absent_where_there_are_several_names_the_choices() -> None:
    assert refusal([], [MCP, TEAM]) == (
        "name one resource: https://mcp.example.com/mcp, https://mcp.example.com/team/*"
    )
    assert refusal([], [TEAM]) == "name one resource: https://mcp.example.com/team/*"
    assert refusal([], []) == "there is no resource here that this client may ask for"


def test_the_choices_are_not_named_without_end() -> None:
    many = [ResourcePattern.parse(f"https://h/{number}") for number in range(11)]
    assert refusal([], many) == f"name one resource: {', '.join(f'https://h/{n}' for n in range(10))}, ..."


@pytest.mark.parametrize(
    "requested",
    [
        ["https://mcp.example.com/mcp", "https://mcp.example.com/mcp"],
        ["https://mcp.example.com/mcp", "https://tools.example.com"],
    ],
)
def test_resource_repeated(requested: list[str]) -> None:
    assert refusal(requested, [MCP, HOST]) == "name exactly one resource"
    with pytest.raises(InvalidTarget) as refused:
        same_resource(requested, MCP.url)
    assert refused.value.description == "name exactly one resource"


@pytest.mark.parametrize(
    "requested", [[], ["https://mcp.example.com/mcp"], ["https://MCP.example.com:443/mcp"]]
)
def test_a_token_request_may_repeat_the_resource_or_leave_it_out(requested: list[str]) -> None:
    same_resource(requested, MCP.url)


@pytest.mark.parametrize(
    "other",
    [
        "https://mcp.example.com/team",
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com",
        "http://h/mcp",
    ],
)
def test_resource_cannot_change_after_consent(other: str) -> None:
    with pytest.raises(InvalidTarget) as refused:
        same_resource([other], MCP.url)
    assert refused.value.description == "the resource is not the one that was authorized"


def test_a_resource_that_no_store_takes_is_refused() -> None:
    """Below a prefix a client chooses the rest: too long for a column, it would be a sign-in for nothing."""
    team = ResourcePattern.parse("https://mcp.example.com/team/*")
    longest = "https://mcp.example.com/team/".ljust(2000, "a")
    assert str(choose_resource([longest], [team])) == longest
    with pytest.raises(InvalidTarget, match="the resource has more than 2000 characters"):
        choose_resource([longest + "a"], [team])
