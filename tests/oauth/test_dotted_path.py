"""One value inside a JSON document."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.dotted_path import ABSENT, first_value, value_at

DOCUMENT: dict[str, Any] = {
    "sub": "ada",
    "none": None,
    "data": {"viewer": {"id": 7}, "list": [{"id": 1}, {"id": 2}]},
    "https://example.org/groups": ["x"],
    "a.b": {"c": 1},
    "a": {"b": {"c": 2}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sub", "ada"),
        ("none", None),
        ("data.viewer.id", 7),
        ("data.list.1.id", 2),
        ("data.list.1", {"id": 2}),
        ("https://example.org/groups", ["x"]),
        ("a.b", {"c": 1}),
        ("a.b.c", 2),
    ],
)
def test_a_value_is_found_on_its_way(path: str, value: object) -> None:
    assert value_at(DOCUMENT, path) == value


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "x",
        "sub.x",
        "sub.0",
        "none.x",
        "data.list.2",
        "data.list.-1",
        "data.list.\u0661",
        "data.list.9999999999",
    ],
)
def test_what_is_not_there_is_absent(path: str) -> None:
    assert value_at(DOCUMENT, path) is ABSENT


def test_the_first_that_is_there_wins() -> None:
    assert first_value(DOCUMENT, ("x", "none", "sub")) is None
    assert first_value(DOCUMENT, ("x", "sub", "data")) == "ada"
    assert first_value(DOCUMENT, ("x", "y")) is ABSENT
