"""JSON out, and each error as its RFC has it. RFC 6749 5.2, RFC 6750 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.errors import InvalidClient, TooManyRequests, Unavailable
from ostiary.oauth.server.upstream_exchange import ReauthenticationRequired
from ostiary.transport.inline_http import Answer

PRIVATE = (
    b"content-type: application/json\r\n"
    b"cache-control: no-store\r\n"
    b"pragma: no-cache\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"access-control-allow-origin: *\r\n"
)
"""For answers with secrets in them. Any page may read them: nothing of a browser's, such as a cookie, counts
at these endpoints."""


def json_answer(document: Mapping[str, Any], *, status: int = 200, headers: bytes = b"") -> Answer:
    """An object; headers: further lines, each with its line break."""
    return Answer(status, msgspec.json.encode(document), PRIVATE + headers)


def empty_answer(status: int = 200) -> Answer:
    """Nothing but the status."""
    return Answer(status, b"", PRIVATE)


def error_answer(error: OAuthError, *, basic: bool = False) -> Answer:
    """The error for the client. basic: whether it tried HTTP Basic, which wants a challenge back."""
    headers = b""
    if isinstance(error, InvalidClient) and basic:
        headers += b'www-authenticate: Basic realm="ostiary", charset="UTF-8"\r\n'
    if isinstance(error, TooManyRequests | Unavailable):
        headers += b"retry-after: %d\r\n" % error.retry_after
    body = {"error": error.error, "error_description": error.error_description}
    if isinstance(error, ReauthenticationRequired):
        body |= {"idp": error.idp, "connect_url": error.connect_url}
    status = 401 if isinstance(error, InvalidClient) else error.status
    return json_answer(body, status=status, headers=headers)
