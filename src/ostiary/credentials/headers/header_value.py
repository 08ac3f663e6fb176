"""What may stand in a header's value: one line of visible ASCII (RFC 9110 section 5.5)."""

from __future__ import annotations

import re

_ONE_LINE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")


def is_header_value(text: str) -> bool:
    """Whether the text can be sent: a line break in it would be a second header of somebody's choice."""
    return _ONE_LINE.fullmatch(text) is not None
