"""One request of a browser that is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from ostiary.authserver.http.page_door import START_AGAIN, PageRefused
from ostiary.authserver.interaction.browser import Browser, any_browser, known_browser
from ostiary.authserver.interaction.context import InteractionContext


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """Who is here, and when."""

    context: InteractionContext
    browser: Browser
    is_post: bool
    address: str
    """Of the other end of the connection."""
    now: float

    @classmethod
    def of(cls, http_request: Request, context: InteractionContext) -> Self:
        """Of a browser that may be new here."""
        return cls._with(http_request, context, any_browser(http_request, context.issuer))

    @classmethod
    def again(cls, http_request: Request, context: InteractionContext) -> Self:
        """Of a browser that was here before. Raises PageRefused for one without a cookie."""
        browser = known_browser(http_request, context.issuer)
        if browser is None:
            raise PageRefused(
                "This browser is not known here",
                "It brought no cookie: the sign-in was begun in another browser, or cookies are blocked.",
                f"Allow cookies for this site. {START_AGAIN}",
                detail="the browser brought no cookie",
            )
        return cls._with(http_request, context, browser)

    @classmethod
    def _with(cls, http_request: Request, context: InteractionContext, browser: Browser) -> Self:
        address = http_request.client.host if http_request.client else ""
        return cls(context, browser, http_request.method == "POST", address, context.clock())
