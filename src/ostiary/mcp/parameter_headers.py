"""Arguments that a call says in HTTP headers too, as the tool's schema wants it (`x-mcp-header`).

Only what stands below nothing but `properties` can be found in the arguments of a call without judging them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ostiary.mcp.headers import encode_value

ParameterPath = tuple[str, ...]
"""The keys that lead to an argument."""
PREFIX = "mcp-param-"
_ANNOTATION = "x-mcp-header"
_IS_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES = frozenset({"string", "integer", "boolean"})
"""Those that all write alike; a number with a fraction is not."""

_WITH_ONE = frozenset(
    {
        *("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames"),
        *("unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
    }
)
_WITH_A_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_WITH_NAMES = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})
"""Keywords of JSON Schema 2020-12 below which further schemas stand, by how."""


def annotation_fault(input_schema: Any) -> str | None:
    """Why a tool with this schema may not be called; None for nothing."""
    seen: set[str] = set()
    for path, schema in _schemas(input_schema):
        if _ANNOTATION in schema:
            header = schema[_ANNOTATION]
            if not path:
                return f"{_ANNOTATION} stands where no argument can be found"
            if not isinstance(header, str) or _IS_TOKEN.fullmatch(header) is None:
                return f"{_ANNOTATION} of {'.'.join(path)} is not a part of a header's name"
            if not isinstance(schema.get("type"), str) or schema["type"] not in _TYPES:
                return f"{_ANNOTATION} of {'.'.join(path)} is not on text, an integer or a switch"
            if header.lower() in seen:
                return f"{_ANNOTATION} {header} is there twice"
            seen.add(header.lower())
    return None


def parameter_names(input_schema: Any) -> dict[ParameterPath, str]:
    """Which arguments go into headers, and the ends of those headers' names. Of a schema without a fault."""
    return {
        path: str(schema[_ANNOTATION])
        for path, schema in _schemas(input_schema)
        if path and _ANNOTATION in schema
    }


def parameter_headers(names: Mapping[ParameterPath, str], arguments: Any) -> dict[str, str]:
    """The headers of a call with these arguments. One that is not there, or null, has none."""
    return {
        PREFIX + name: encode_value(written).decode()
        for path, name in names.items()
        if (written := _written(_at(path, arguments))) is not None
    }


def _schemas(root: Any) -> Iterator[tuple[ParameterPath | None, dict[str, Any]]]:
    """Each schema in it, with the path of its argument; None where something else than names leads there."""
    left: list[tuple[ParameterPath | None, Any]] = [((), root)]
    while left:
        path, schema = left.pop()
        if not isinstance(schema, dict):
            continue
        yield path, schema
        for keyword, value in schema.items():
            if keyword == "properties" and isinstance(value, dict):
                left.extend((None if path is None else (*path, name), one) for name, one in value.items())
            elif keyword in _WITH_ONE:
                left.append((None, value))
            elif keyword in _WITH_A_LIST and isinstance(value, list):
                left.extend((None, one) for one in value)
            elif keyword in _WITH_NAMES and isinstance(value, dict):
                left.extend((None, one) for one in value.values())


def _at(path: ParameterPath, arguments: Any) -> Any:
    for key in path:
        if not isinstance(arguments, Mapping):
            return None
        arguments = arguments.get(key)
    return arguments


def _written(value: Any) -> str | None:
    """As a header has it; None for what has no such form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value) if isinstance(value, str | int | float) else None
    except ValueError:  # an integer of thousands of digits
        return None
