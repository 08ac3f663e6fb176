"""Each single value of a configuration, and its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from ostiary.settings import Place


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """What stands in it, in the order of its fields."""
    match value:
        case BaseModel():
            for name, field in type(value).model_fields.items():
                yield from leaves(getattr(value, name), (*place, field.alias or name))
        case dict():
            for name, item in value.items():
                yield from leaves(item, (*place, name))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from leaves(item, (*place, index))
        case _:
            yield place, value
