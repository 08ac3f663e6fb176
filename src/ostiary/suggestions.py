"""What a name that does not exist was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LISTED_AT_MOST = 12


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest right one, or all of them."""
    names = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    if close := get_close_matches(name.lower(), lowered, n=1):
        return f"did you mean {lowered[close[0]]}?"
    if not names:
        return "there is nothing to set"
    shown = ", ".join(names[:LISTED_AT_MOST])
    return f"there is {shown}{', ...' if len(names) > LISTED_AT_MOST else ''}"
