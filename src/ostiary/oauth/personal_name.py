"""What people are called, kept as they write it. Pages show it in a way of their own, which hides nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

LONGEST = 320
"""Characters."""
_JOINERS = frozenset("\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
"""Good spelling in Persian and in Indic scripts, and in emoji."""


def personal_name(value: Any) -> str | None:
    """The name; None for what is no text of one line, or has characters that hide it or turn it around."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.strip():
        return None
    return value if all(map(_may_stand, value)) else None


def first_name(values: Iterable[Any]) -> str | None:
    """The first of these that is one: GitHub says null, others say nothing, of who gave no name."""
    return next((name for value in values if (name := personal_name(value)) is not None), None)


def _may_stand(character: str) -> bool:
    """Python calls no blank printable but the one of ASCII; the no-break ones stand in names."""
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
