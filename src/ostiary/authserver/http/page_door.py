"""A handler of a browser's requests: whatever it refuses becomes a page for a person."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.http.form_request import FORM
from ostiary.authserver.pages import ErrorPage, page_response
from ostiary.authserver.pages.display_text import display_sentence
from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.errors import InvalidRequest, TooManyRequests, Unavailable
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.storage.errors import SealedOtherwise, StorageError

log = event_log("ostiary.authserver")

START_AGAIN = "Go back to the program that you came from and start again."
TRY_AGAIN = "Wait a moment, then load this page again."


class PageRefused(Exception):
    """Something that a person has to be told, in three short texts; detail is for the log."""

    def __init__(
        self, title: str, wrong: str, remedy: str = START_AGAIN, *, status: int = 400, detail: str = ""
    ) -> None:
        super().__init__(title)
        self.title = title
        self.wrong = wrong
        self.remedy = remedy
        self.status = status
        self.detail = detail


PageHandler = Callable[[Request], Awaitable[Response]]
"""Answers one request, or raises PageRefused, OAuthError or StorageError."""


_AWAY = "Our storage does not answer."
_UNBELIEVED = "What our storage has of this was changed or is damaged. Whoever runs this server has to look."


def page_door(handler: PageHandler) -> PageHandler:
    """The handler, as a route has it: it raises nothing."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except PageRefused as refused:
            return _page(request, refused)
        except OAuthError as error:
            return _page(request, _in_words(error), retry_after=getattr(error, "retry_after", None))
        except StorageError as error:
            log.error("store_failed", endpoint=request.url.path, reason=str(error))  # noqa: TRY400 - its trace says nothing more
            reason = _UNBELIEVED if isinstance(error, SealedOtherwise) else _AWAY
            away = PageRefused("We cannot do this right now", reason, TRY_AGAIN, status=503)
            return _page(request, away, retry_after=Unavailable("").retry_after)
        except Exception as error:  # noqa: BLE001 - a fault of ours: told in the log, not on the page
            trace = crash_text(error)
            broken = PageRefused(
                "Something broke", "It is our fault, and not yours.", START_AGAIN, status=500, detail=trace
            )
            return _page(request, broken)

    return answer


async def read_form(request: Request) -> Parameters:
    """What a page's form posted. Raises InvalidRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.encode() != FORM:
        raise InvalidRequest("the body must be application/x-www-form-urlencoded")
    return read_parameters(await request.body())


def _in_words(error: OAuthError) -> PageRefused:
    title = "This request cannot be answered"
    remedy = START_AGAIN
    if isinstance(error, TooManyRequests | Unavailable):
        title, remedy = "We cannot do this right now", TRY_AGAIN
    status = (
        400 if error.status == HTTPStatus.UNAUTHORIZED else error.status
    )  # a browser has nothing to prove
    wrong = display_sentence(error.description)
    return PageRefused(title, wrong, remedy, status=status, detail=error.detail)


def _page(request: Request, refused: PageRefused, *, retry_after: int | None = None) -> Response:
    """The reference on the page finds the line in the log."""
    reference = secrets.token_hex(6)
    write = log.error if refused.status >= 500 else log.info
    write(
        "page_refused",
        endpoint=request.url.path,
        reason=refused.detail or refused.wrong,
        status=refused.status,
        reference=reference,
    )
    page = ErrorPage(refused.title, refused.wrong, refused.remedy, reference, refused.status)
    response = page_response(page)
    if retry_after is not None:
        response.headers["retry-after"] = str(retry_after)
    return response
