"""k=v → what a tool takes, by its input schema."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.cli.arguments import read_arguments
from ostiary.cli.failure import BadUsage

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "species": {"type": "string"},
        "limit": {"type": "integer"},
        "hungry": {"type": "boolean"},
        "tags": {"type": "array"},
        "age": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "any": {},
    },
}


@pytest.mark.parametrize(
    ("word", "arguments"),
    [
        ("species=penguin", {"species": "penguin"}),
        ("species=5", {"species": "5"}),
        ("species=a=b", {"species": "a=b"}),
        ("species=", {"species": ""}),
        ("limit=5", {"limit": 5}),
        ("hungry=true", {"hungry": True}),
        ('tags=["a", "b"]', {"tags": ["a", "b"]}),
        ("age=2.5", {"age": 2.5}),
        ("age=null", {"age": None}),
        ("any=5", {"any": "5"}),
        ("any:=5", {"any": 5}),
        ('species:="penguin"', {"species": "penguin"}),
    ],
)
def test_a_value_is_read_as_the_schema_says(word: str, arguments: dict[str, Any]) -> None:
    assert read_arguments([word], SCHEMA) == arguments


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["penguin"], "penguin is no argument: write name=value, or name:=JSON"),
        (["=penguin"], "=penguin is no argument: write name=value, or name:=JSON"),
        (["specis=penguin"], "the tool takes no argument specis; did you mean species?"),
        (["limit=many"], "argument limit should be integer: many cannot be read as that"),
        (["age=old"], "argument age should be null or number: old cannot be read as that"),
        (["any:={"], "argument any should be JSON: { cannot be read as that"),
        (["limit=1", "limit=2"], "argument limit is given twice"),
    ],
)
def test_what_the_tool_cannot_take_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(BadUsage) as refused:
        read_arguments(words, SCHEMA)
    assert str(refused.value) == sentence


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(BadUsage) as refused:
        read_arguments([], SCHEMA | {"required": ["species"]})
    assert str(refused.value) == "argument species is missing: add species=..."
