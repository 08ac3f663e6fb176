"""How names of many servers stay apart behind one endpoint."""

from __future__ import annotations

import pytest

from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.names import Names, clashing_prefixes, default_prefix, scheme_prefixed


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
    assert list(clashing_prefixes(prefixes)) == clashes


BARE = Names({"bare": "", "zoo": "zoo_", "x": "y-"})


@pytest.mark.parametrize(
    ("key", "name", "owner"),
    [
        ("name", "zoo_get", ("zoo", "get")),
        ("name", "zoo_", ("zoo", "")),
        ("name", "zoo", ("bare", "zoo")),
        ("name", "Zoo_get", ("bare", "Zoo_get")),
        ("name", "y-zoo_get", ("x", "zoo_get")),
        ("name", "x_get", ("bare", "x_get")),
        ("uri", "note://1", ("bare", "note://1")),
        ("uri", "zoo+note://1", ("zoo", "note://1")),
        ("uri", "ZOO+note://1", ("zoo", "note://1")),
        ("uri", "\tz\noo+note://1", ("zoo", "note://1")),
        ("uri", " zoo+note://1", ("zoo", "note://1")),
        ("uri", "y-+note://1", ("bare", "y-+note://1")),
        ("uri", "bare+note://1", ("bare", "bare+note://1")),
        ("uri", "note:zoo+note://1", ("bare", "note:zoo+note://1")),
        ("uriTemplate", "note://{n}", ("bare", "note://{n}")),
        ("uriTemplate", "zoo://{+path}", ("bare", "zoo://{+path}")),
        ("uriTemplate", "zoo+{+any}", ("zoo", "{+any}")),
        ("uriTemplate", "Zoo+note://{n}", ("zoo", "note://{n}")),
        ("uriTemplate", "zoo+note://1", ("zoo", "note://1")),
    ],
)
def test_a_name_is_the_servers_that_a_call_with_it_reaches(
    key: str, name: str, owner: tuple[str, str]
) -> None:
    assert BARE.split(key, name) == owner


@pytest.mark.parametrize("template", ["{x}", "{+any}", "{s}+note://1", "z{x}", "zoo{x}", "ZO{x}", "\t{x}"])
def test_a_template_that_could_become_anothers_is_nobodys(template: str) -> None:
    with pytest.raises(InvalidParams, match="resources of several servers fit this template"):
        BARE.split("uriTemplate", template)
    assert Names({"bare": ""}).split("uriTemplate", template) == ("bare", template)


@pytest.mark.parametrize("key", ["name", "uri", "uriTemplate"])
@pytest.mark.parametrize("own", ["get", "{x}", "zoo+a://1", "zoo_get", "", "+", "x+y"])
def test_whatever_a_server_with_a_prefix_lists_is_its_own(key: str, own: str) -> None:
    for server in ("zoo", "x"):
        assert BARE.split(key, BARE.here(key, server, own)) == (server, own)
