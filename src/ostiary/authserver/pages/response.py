"""A page as an answer, in which a browser runs nothing and which no other site can frame. CSP level 3."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ostiary.authserver.pages.page import Page
from ostiary.authserver.pages.render import render

_HOST_SOURCE = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::(?:[1-9][0-9]{0,4}|\*))?")
_SCHEME_SOURCE = re.compile(r"[a-z][a-z0-9+.-]*:")
_NEVER = frozenset({"about:", "blob:", "data:", "file:", "filesystem:", "javascript:", "vbscript:"})

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class FormActionRefused(ValueError):
    """Not a source that a form's answer may lead to; it could end the directive, or run in the page."""


def page_response(page: Page, *, status: int | None = None, form_action: Collection[str] = ()) -> Response:
    """The page with all its security headers.

    status: the page's own, unless given. form_action: what else than ourselves the redirects after a
    post may lead to, as sources: `https://host[:port]`, `http://127.0.0.1:*`, `cursor:`; a Destination
    knows its own. Raises FormActionRefused.
    """
    headers = HEADERS | {"content-security-policy": content_security_policy(form_action)}
    return PageResponse(page, page.status if status is None else status, headers)


class PageResponse(Response):
    """A page that finds its stylesheet below the path of the request's application (ASGI's `root_path`)."""

    media_type = "text/html"

    def __init__(self, page: Page, status: int, headers: dict[str, str]) -> None:
        super().__init__(render(page), status, headers)
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if below := scope.get("root_path", ""):
            self.body = render(self._page, below=below)
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def content_security_policy(form_action: Collection[str] = ()) -> str:
    """The policy of every page: our stylesheet, our icon, our forms, nothing else."""
    targets = " ".join(["'self'", *sorted({_source(source) for source in form_action})])
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )


def _source(text: str) -> str:
    if text in _NEVER or not (_HOST_SOURCE.fullmatch(text) or _SCHEME_SOURCE.fullmatch(text)):
        raise FormActionRefused(f"not a source for form-action: {text[:80]!r}")
    return text
