"""A page that a browser fetches ahead, before anybody wants to see it. Fetch, `Sec-Purpose`.

Whoever looks at it may never come. So it must not spend what can be used once, nor begin anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAID_IN = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AHEAD = frozenset({"prefetch", "prerender", "preview"})


def is_asked_ahead(headers: Mapping[str, str]) -> bool:
    """Whether nobody is looking. headers: of the request, by their names in lower case."""
    said = (word for name in _SAID_IN for word in re.split("[;,]", headers.get(name, "").lower()))
    return any(word.strip() in _AHEAD for word in said)
