"""How Cloud Run says no: with pages for browsers, whoever asks.

MCP clients get no JSON-RPC, and no hint where to sign in.
"""

from __future__ import annotations

from html import escape
from string import Template

from starlette.responses import HTMLResponse, PlainTextResponse, Response

_PAGE = Template("""
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>$status $reason</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: $reason</h1>
<h2>$sentence</h2>
<h2></h2>
</body></html>
""")
# Cloud Run leaves the comma between the parameters out.
_CHALLENGE = 'Bearer error="invalid_token" error_description="The access token could not be verified"'


def unauthorized(path: str) -> Response:
    """401: the token is bad, expired, for somebody else, or an access token."""
    sentence = f"Your client does not have permission to the requested URL <code>{escape(path)}</code>."
    return _page(401, "Unauthorized", sentence, {"WWW-Authenticate": _CHALLENGE})


def forbidden(path: str) -> Response:
    """403: there is no token, or its owner may not call."""
    sentence = (
        f"Your client does not have permission to get URL <code>{escape(path)}</code> from this server."
    )
    return _page(403, "Forbidden", sentence, {})


def unavailable() -> Response:
    """503: the container does not answer."""
    return PlainTextResponse("Service Unavailable", 503)


def timed_out() -> Response:
    """504: the container took longer for its answer than the service allows."""
    return PlainTextResponse("upstream request timeout", 504)


def _page(status: int, reason: str, sentence: str, headers: dict[str, str]) -> Response:
    return HTMLResponse(_PAGE.substitute(status=status, reason=reason, sentence=sentence), status, headers)
