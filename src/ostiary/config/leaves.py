"""Each single value of a configuration, and its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from ostiary.settings import Place


def leaves(settings: Any) -> Iterator[tuple[Place, Any]]:
    """What stands in it, in the order of its fields. What was written once, and several have, comes once."""
    yield from _leaves(settings, (), set())


def _leaves(value: Any, place: Place, seen: set[int]) -> Iterator[tuple[Place, Any]]:
    match value:
        case BaseModel():
            if id(value) in seen:
                return
            seen.add(id(value))
            for name, field in type(value).model_fields.items():
                yield from _leaves(getattr(value, name), (*place, field.alias or name), seen)
        case dict():
            for name, item in value.items():
                yield from _leaves(item, (*place, name), seen)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _leaves(item, (*place, index), seen)
        case _:
            yield place, value
