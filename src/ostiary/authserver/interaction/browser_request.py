"""One request of a browser that is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from ostiary.authserver.http.page_door import START_AGAIN, PageRefused
from ostiary.authserver.interaction.browser import Browser, any_browser, known_browser
from ostiary.authserver.services import Parts


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is here, and when."""

    parts: Parts
    browser: Browser
    is_post: bool
    address: str
    """Of the other end of the connection."""
    now: float

    @classmethod
    def of(cls, request: Request, parts: Parts) -> Self:
        """Of a browser that may be new here."""
        return cls._with(request, parts, any_browser(request, parts.issuer))

    @classmethod
    def again(cls, request: Request, parts: Parts) -> Self:
        """Of a browser that was here before. Raises PageRefused for one without a cookie."""
        browser = known_browser(request, parts.issuer)
        if browser is None:
            raise PageRefused(
                "This browser is not known here",
                "It brought no cookie: the sign-in was begun in another browser, or cookies are blocked.",
                f"Allow cookies for this site. {START_AGAIN}",
                detail="the browser brought no cookie",
            )
        return cls._with(request, parts, browser)

    @classmethod
    def _with(cls, request: Request, parts: Parts, browser: Browser) -> Self:
        address = request.client.host if request.client else ""
        return cls(parts, browser, request.method == "POST", address, parts.clock())
