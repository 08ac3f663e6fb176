"""Half a character: what JSON can write and UTF-8 cannot. RFC 8259 section 8.2.

Python reads one half of a surrogate pair without a word, and whoever writes it down later, in a store or a
token, breaks.
"""

from __future__ import annotations

import json
from typing import Any


def refuse_half_characters(text: str, value: Any) -> None:
    """Raise ValueError when a string of the value is no text. text: the JSON that it was read from."""
    if "\\u" in text:  # nothing else can write one
        json.dumps(value, ensure_ascii=False).encode("utf-8")
