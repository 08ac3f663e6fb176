"""One value inside a JSON document, by the way to it, such as `authed_user.access_token`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ABSENT: Any = object()
"""What is not there, as opposed to null."""


def value_at(document: Any, path: str) -> Any:
    """The value, or ABSENT. A member whose whole name has dots is found before the way through its parts.

    Claims that are named by a URL have such names. A number chooses from a list.
    """
    if isinstance(document, dict) and path in document:
        return document[path]
    name, dot, rest = path.partition(".")
    inner = _member(document, name)
    return value_at(inner, rest) if dot else inner


def first_value(document: Any, paths: tuple[str, ...]) -> Any:
    """The first of these that is there, or ABSENT."""
    found = (value_at(document, path) for path in paths)
    return next((value for value in found if value is not ABSENT), ABSENT)


def values(document: Any, paths: tuple[str, ...]) -> Iterator[Any]:
    """What is there, in this order; null is not."""
    for path in paths:
        value = value_at(document, path)
        if value is not ABSENT and value is not None:
            yield value


def _member(document: Any, name: str) -> Any:
    if isinstance(document, dict):
        return document.get(name, ABSENT)
    if isinstance(document, list) and name.isascii() and name.isdecimal() and int(name[:6]) < len(document):
        return document[int(name[:6])]
    return ABSENT
