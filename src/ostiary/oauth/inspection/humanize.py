"""Spans of time as people say them."""

from __future__ import annotations

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def span_in_words(seconds: float) -> str:
    """`57 minutes`, `1 hour`: a span in the largest unit of which there are two, or one exactly."""
    whole = round(abs(seconds))
    for unit, size in _UNITS:
        count = round(whole / size, 2)  # a moment may pass between making and telling
        if count >= 2 or count == 1:
            return f"{round(count)} {unit}{'' if round(count) == 1 else 's'}"
    return "0 seconds"


def relative(moment: float, now: float) -> str:
    """`in 57 minutes`, `3 hours ago`, `now`."""
    if abs(moment - now) < 1:
        return "now"
    span = span_in_words(moment - now)
    return f"in {span}" if moment > now else f"{span} ago"
