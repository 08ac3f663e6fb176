"""Which browser this is, and whether a form was posted from a page of ours. RFC 9700 section 4.7.

A browser is known by a cookie with 256 random bits. Whatever is under way belongs to one browser, by the
cookie's hash; tokens against forged forms are made with it, so that no other browser's are worth anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.http.page_door import PageRefused
from ostiary.oauth.canonical_url import canonical_url
from ostiary.storage.store import digest

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser."""

    secret: str = field(repr=False)
    is_new: bool
    """Whether it has to be given its cookie yet."""

    @property
    def hash(self) -> str:
        """What the store knows it by."""
        return digest(self.secret)

    def csrf(self, about: str) -> str:
        """The token of a form. about: the one thing that the form is good for, such as an interaction."""
        mac = hmac.digest(self.secret.encode(), b"form\0" + about.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")

    def check_csrf(self, token: str | None, about: str) -> None:
        """Raise PageRefused unless the token stands in a form that we gave to this browser for this."""
        if token is None or not hmac.compare_digest(token.encode(), self.csrf(about).encode()):
            raise PageRefused(
                "This form is not from here",
                "What was sent did not come from a page that this server gave to this browser.",
                "Go back to the program that you came from and start again.",
                status=403,
                detail="the form's token is missing, or for another browser or another purpose",
            )


def known_browser(http_request: Request, issuer: str) -> Browser | None:
    """The browser that we gave a cookie; None for one that brings none."""
    secret = http_request.cookies.get(cookie_name(issuer), "")
    return Browser(secret, is_new=False) if _SECRET.fullmatch(secret) else None


def any_browser(http_request: Request, issuer: str) -> Browser:
    """The same; or a new one, that `give_cookie` has to be called for."""
    return known_browser(http_request, issuer) or Browser(secrets.token_urlsafe(32), is_new=True)


def give_cookie(response: Response, browser: Browser, issuer: str) -> Response:
    """The response, with the cookie of a browser that has none yet. It ends with the browser's session."""
    if browser.is_new:
        name = cookie_name(issuer)
        secure = name.startswith("__Host-")
        response.set_cookie(name, browser.secret, path="/", secure=secure, httponly=True, samesite="lax")
    return response


def cookie_name(issuer: str) -> str:
    """`__Host-ostiary`, which no other host can set. Over http, as on loopback alone, browsers refuse that
    name; there the port is in it, for cookies do not tell ports apart."""
    url = canonical_url(issuer)
    return "__Host-ostiary" if url.scheme == "https" else f"ostiary-{url.port}"
