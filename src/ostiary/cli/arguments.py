"""k=v → what a tool takes.

name=value     read as the tool's input schema says: text, number, true/false, or JSON for lists and objects
name:=JSON     JSON, whatever the schema says

A server writes the schema, and what of it is no JSON Schema says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ostiary.cli.failure import BadUsage
from ostiary.suggestions import suggestion


def read_arguments(words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of one call. Raises BadUsage for what the tool cannot take."""
    arguments: dict[str, Any] = {}
    for word in words:
        name, value = _read(word, schema)
        if name in arguments:
            raise BadUsage(f"argument {name} is given twice")
        arguments[name] = value
    for name in _texts(schema.get("required")):
        if name not in arguments:
            raise BadUsage(f"argument {name} is missing: add {name}=...")
    return arguments


def _read(word: str, schema: Mapping[str, Any]) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise BadUsage(f"{word} is no argument: write name=value, or name:=JSON")
    as_json, name = name.endswith(":"), name.removesuffix(":")
    named = schema.get("properties")
    known: Mapping[str, Any] = named if isinstance(named, Mapping) else {}
    if name not in known and known and not schema.get("additionalProperties"):
        raise BadUsage(f"the tool takes no argument {name}; {suggestion(name, known)}")
    types = _types(known.get(name))
    if not as_json and (not types or "string" in types):
        return name, text
    try:
        return name, json.loads(text)
    except (ValueError, RecursionError):
        wanted = "JSON" if as_json else " or ".join(sorted(types))
        raise BadUsage(f"argument {name} should be {wanted}: {text} cannot be read as that") from None


def _types(schema: Any) -> set[str]:
    """The JSON types that a schema allows; empty when it doesn't say."""
    if not isinstance(schema, Mapping):
        return set()
    named = schema.get("type")
    found = {named} if isinstance(named, str) else set(_texts(named))
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        for choice in choices if isinstance(choices, list) else ():
            found |= _types(choice)
    return found


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
