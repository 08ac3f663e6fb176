"""Sending a browser on.

After a GET that is a redirect. After a form it is a page that goes on by itself: browsers hold a page's
`form-action` against every redirect that follows, and nobody can list where a provider redirects to.
"""

from __future__ import annotations

from starlette.responses import Response

from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.pages import Onward, page_response

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def redirect_to(request: BrowserRequest, url: str, *, to: str) -> Response:
    """To another site. to: what people know it by."""
    response = page_response(Onward(url, to)) if request.is_post else see_other(url)
    return give_cookie(response, request.browser, request.context.issuer)


def see_other(url: str) -> Response:
    """A redirect that is followed by a GET, whatever came before (RFC 9700 section 4.12)."""
    return Response(status_code=303, headers=HEADERS | {"location": url})
