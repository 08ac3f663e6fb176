"""How names of many servers stay apart behind one endpoint."""

from __future__ import annotations

import re

import pytest

from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.names import Names, clashing_prefixes, default_prefix, is_short_form, scheme_prefixed


def test_a_servers_own_name_is_its_prefix() -> None:
    assert default_prefix("zoo") == "zoo_"


def test_a_resource_gets_its_servers_scheme() -> None:
    assert scheme_prefixed("zoo", "zoo://species/penguin") == "zoo+zoo://species/penguin"


@pytest.mark.parametrize(
    ("prefixes", "clashes"),
    [
        ({"a": "a_", "b": "b_"}, []),
        ({"a": "a_", "b": "a_"}, [("a", "b")]),
        ({"a": "a_", "ab": "a_b_"}, [("a", "ab")]),
        ({"a": "", "b": "b_"}, []),
        ({"a": "", "b": ""}, [("a", "b")]),
        ({"c": "x", "b": "xy", "a": "xyz"}, [("a", "b"), ("a", "c"), ("b", "c")]),
    ],
)
def test_prefixes_of_which_one_begins_with_the_other_clash(
    prefixes: dict[str, str], clashes: list[tuple[str, str]]
) -> None:
    assert clashing_prefixes(prefixes) == clashes


def test_an_unknown_name_is_not_answered_with_the_names_of_thousands_of_servers() -> None:
    many = Names({f"server-{number}": f"server-{number}_" for number in range(10_000)})
    assert many.split("tools", "server-9999_get") == ("server-9999", "get")
    for kind, name in (("tools", "nobody"), ("resources", "nobody://1")):
        with pytest.raises(InvalidParams) as told:
            many.split(kind, name)
        assert len(str(told.value)) < 1000
        assert str(told.value).endswith(", and others")


BARE = Names({"bare": "", "zoo": "zoo_", "x": "y-"})


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        ("tools", "zoo_get", ("zoo", "get")),
        ("tools", "zoo_", ("zoo", "")),
        ("tools", "zoo", ("bare", "zoo")),
        ("tools", "Zoo_get", ("bare", "Zoo_get")),
        ("tools", "y-zoo_get", ("x", "zoo_get")),
        ("tools", "x_get", ("bare", "x_get")),
        ("resources", "note://1", ("bare", "note://1")),
        ("resources", "zoo+note://1", ("zoo", "note://1")),
        ("resources", "ZOO+note://1", ("zoo", "note://1")),
        ("resources", "\tz\noo+note://1", ("zoo", "note://1")),
        ("resources", " zoo+note://1", ("zoo", "note://1")),
        ("resources", "y-+note://1", ("bare", "y-+note://1")),
        ("resources", "bare+note://1", ("bare", "bare+note://1")),
        ("resources", "note:zoo+note://1", ("bare", "note:zoo+note://1")),
        ("resourceTemplates", "note://{n}", ("bare", "note://{n}")),
        ("resourceTemplates", "zoo://{+path}", ("bare", "zoo://{+path}")),
        ("resourceTemplates", "zoo+{+any}", ("zoo", "{+any}")),
        ("resourceTemplates", "Zoo+note://{n}", ("zoo", "note://{n}")),
        ("resourceTemplates", "zoo+note://1", ("zoo", "note://1")),
    ],
)
def test_a_name_is_the_servers_that_a_call_with_it_reaches(
    kind: str, name: str, owner: tuple[str, str]
) -> None:
    assert BARE.split(kind, name) == owner


@pytest.mark.parametrize("template", ["{x}", "{+any}", "{s}+note://1", "z{x}", "zoo{x}", "ZO{x}", "\t{x}"])
def test_a_template_that_could_become_anothers_is_nobodys(template: str) -> None:
    with pytest.raises(InvalidParams, match="resources of several servers fit this template"):
        BARE.split("resourceTemplates", template)
    assert Names({"bare": ""}).split("resourceTemplates", template) == ("bare", template)


@pytest.mark.parametrize("kind", ["tools", "prompts", "resources", "resourceTemplates"])
@pytest.mark.parametrize("own", ["get", "{x}", "zoo+a://1", "zoo_get", "", "+", "x+y"])
def test_whatever_a_server_with_a_prefix_lists_is_its_own(kind: str, own: str) -> None:
    for server in ("zoo", "x"):
        here = BARE.here(kind, server, own)
        reached, meant = BARE.split(kind, here)
        assert reached == server
        assert meant == own or is_short_form(here)


@pytest.mark.parametrize(
    "own",
    ["a" * 61, "größe", "a b", "a/b", "a" * 5000, "get_x234567abcd", "\u202eevil", "", "名前"],
)
def test_a_name_that_some_clients_would_not_take_has_a_short_form_of_its_own(own: str) -> None:
    here = BARE.here("tools", "zoo", own)
    assert re.fullmatch(r"zoo_[A-Za-z0-9_.-]{0,60}", here)
    assert here == BARE.here("tools", "zoo", own)
    assert here != BARE.here("tools", "zoo", own + "a")
    assert is_short_form(here) == (own != "")


def test_what_looks_like_a_short_form_has_another_one() -> None:
    """A server cannot take the place of a long name by listing its short form."""
    short = BARE.here("tools", "zoo", "a" * 61)
    again = BARE.here("tools", "zoo", short.removeprefix("zoo_"))
    assert is_short_form(again)
    assert again != short
