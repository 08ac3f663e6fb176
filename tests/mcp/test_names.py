"""How names of many servers stay apart behind one endpoint."""

from __future__ import annotations

import pytest

from ostiary.mcp.names import clashing_prefixes, default_prefix, scheme_prefixed


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
