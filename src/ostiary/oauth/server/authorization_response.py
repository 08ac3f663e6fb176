"""What the browser carries back to the client. RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from ostiary.oauth.errors import OAuthError


def code_answer(redirect_uri: str, *, code: str, state: str | None, issuer: str) -> str:
    """Where to send the browser with a code. redirect_uri: proven to be the client's."""
    return _answer(redirect_uri, {"code": code, "state": state, "iss": issuer})


def error_answer(redirect_uri: str, error: OAuthError, *, state: str | None, issuer: str) -> str:
    """Where to send the browser without one, and why. redirect_uri: proven to be the client's."""
    said = {"error": error.error, "error_description": error.error_description, "state": state, "iss": issuer}
    return _answer(redirect_uri, said)


def _answer(redirect_uri: str, parameters: Mapping[str, str | None]) -> str:
    """The client's own query is kept. All is percent-encoded: nothing can end the header that carries it."""
    said = {name: value for name, value in parameters.items() if value}
    between = "?" if "?" not in redirect_uri else "" if redirect_uri.endswith(("?", "&")) else "&"
    return redirect_uri + between + urlencode(said, quote_via=quote)
