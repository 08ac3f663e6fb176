"""WWW-Authenticate: how to come back with the right token. RFC 6750 section 3, RFC 9728 section 5.1."""

from __future__ import annotations

import re

_NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def bearer_challenge(
    *,
    resource_metadata: str | None = None,
    scopes: tuple[str, ...] = (),
    error: str | None = None,
    description: str | None = None,
) -> str:
    """The header's value.

    A request without a token is told no error code (RFC 6750 section 3.1): leave `error` out.
    scopes: what the token should have. Whatever could end the quoted string or the line is taken out.
    """
    parameters = {
        "error": error,
        "error_description": description if error else None,
        "scope": " ".join(scopes),
        "resource_metadata": resource_metadata,
    }
    said = (f'{name}="{_plain(value)}"' for name, value in parameters.items() if value)
    return f"Bearer {', '.join(said)}".rstrip()


def _plain(value: str) -> str:
    """RFC 6750 section 3 allows neither a quote nor a backslash here, so nothing needs escaping."""
    return _NOT_IN_A_DESCRIPTION.sub(" ", value)
