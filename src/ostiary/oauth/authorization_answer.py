"""What the browser carries back to the client. RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from ostiary.oauth.errors import OAuthError

_NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]+")
_LONGEST_DESCRIPTION = 500


def code_answer(redirect_uri: str, *, code: str, state: str | None, issuer: str) -> str:
    """Where to send the browser with a code. redirect_uri: proven to be the client's."""
    return _answer(redirect_uri, {"code": code, "state": state, "iss": issuer})


def error_answer(redirect_uri: str, error: OAuthError, *, state: str | None, issuer: str) -> str:
    """Where to send the browser without one, and why. redirect_uri: proven to be the client's."""
    description = _NOT_IN_A_DESCRIPTION.sub(" ", error.description)[:_LONGEST_DESCRIPTION]
    return _answer(
        redirect_uri,
        {"error": error.error, "error_description": description, "state": state, "iss": issuer},
    )


def _answer(redirect_uri: str, parameters: dict[str, str | None]) -> str:
    """The client's own query is kept. All is percent-encoded: nothing can end the header that carries it."""
    said = {name: value for name, value in parameters.items() if value}
    between = "?" if "?" not in redirect_uri else "" if redirect_uri.endswith(("?", "&")) else "&"
    return redirect_uri + between + urlencode(said, quote_via=quote)
