"""What a request is for, when its line says more than a path. RFC 9112 section 3.2."""

from __future__ import annotations

import re

_ABSOLUTE = re.compile(
    rb"https?://((?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)((?:[/?].*)?)",
    re.IGNORECASE | re.DOTALL,
)


def split_absolute_form(target: bytes) -> tuple[bytes, bytes] | None:
    """(authority in lower case, path and query) of a whole URL; None for what is none (section 3.2.2)."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    authority, origin_form = match.groups()
    return authority.lower(), origin_form if origin_form.startswith(b"/") else b"/" + origin_form
