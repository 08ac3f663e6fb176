"""What a YAML text says, and on which line. What reads it, `yaml_reader`, is imported with the first text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostiary.settings import Place

MAX_BYTES = 1024 * 1024
"""The longest text that is read."""


class NotYaml(Exception):
    """The text cannot be read. `line` counts from 1; None when the whole is at fault."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(slots=True)
class YamlDocument:
    """What a YAML text says."""

    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    """The line of each value's key (or of the list entry itself)."""
    repeated: list[tuple[Place, int]] = field(default_factory=list)
    """Keys that stand a second time, each with the line of the repetition."""
    variables: dict[Place, str] = field(default_factory=dict)
    """By which variable of the environment a value was given."""

    def line_of(self, place: Place) -> int | None:
        """The line of a value, or of the nearest thing around it that is written down."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)

    def said_by(self, place: Place) -> str:
        """For the end of a sentence about a value: by which variable it was given, if by one."""
        variable = self.variables.get(place[:2])
        return "" if variable is None else f" (as {variable} says)"
