"""`60/m`: how often somebody may ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([smh])")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and as many again in each span of so many seconds."""

    count: int
    seconds: float
    written: str

    def __str__(self) -> str:
        return self.written


def read_rate(value: object) -> Rate:
    """`60/m` → Rate. Raises ValueError."""
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a rate is a number and a unit of time, such as 10/s, 60/m or 1000/h")
    return Rate(int(match[1]), _SECONDS[match[2]], match[0])


RateField = Annotated[
    Rate,
    BeforeValidator(read_rate),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A rate: 10/s, 60/m, 1000/h",
            "pattern": "^[1-9][0-9]*/(s|m|h)$",
        }
    ),
]
