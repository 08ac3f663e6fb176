"""Where a browser is sent. RFC 6749 section 4.1.1, RFC 7636 section 4.3."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.pkce import ENTROPY_BYTES, S256, code_verifier, s256


def new_verifier() -> str:
    """A fresh one for each login."""
    return code_verifier(secrets.token_bytes(ENTROPY_BYTES))


def authorization_url(
    endpoint: CanonicalUrl,
    parameters: Mapping[str, str | None],
    *,
    verifier: str | None,
    extra: Mapping[str, str],
) -> str:
    """The URL. A query that the endpoint has already is kept (RFC 6749 section 3.1).

    extra: what the operator configured; what we say ourselves goes first.
    """
    challenge = {} if verifier is None else {"code_challenge": s256(verifier), "code_challenge_method": S256}
    ours = {name: value for name, value in parameters.items() if value}
    said = {**extra, "response_type": "code", **ours, **challenge}
    return f"{endpoint}{'?' if endpoint.query is None else '&'}{urlencode(said)}"
