"""When a server wants to be asked again: the Retry-After header. RFC 9110 section 10.2.3."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime


def retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds from `now` (seconds since the epoch), never negative; None when there is nothing readable."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
