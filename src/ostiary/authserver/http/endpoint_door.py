"""A handler of back-channel requests, as a door of the listener.

A door runs inline, without a task, which is what makes a token cheap. A handler that waits for neither
the store nor another server answers where its last byte was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import error_answer
from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.errors import ServerError, TooManyRequests, Unavailable
from ostiary.storage.errors import SealedOtherwise, StorageError
from ostiary.telemetry.audit import Audit
from ostiary.transport.inline_http import Answer, Door, Request

log = event_log("ostiary.authserver")

_AWAY = "the server cannot reach its store; nothing was spent"
_UNBELIEVED = "the server does not believe what its store has of this; nothing was spent"

Handler = Callable[[FormRequest], Awaitable[Answer]]
"""Answers one request, or raises OAuthError or StorageError."""


def door(handler: Handler, *, url: str, read: Callable[..., FormRequest], audit: Audit) -> Door:
    """The handler as a door. url: as clients see it; read: `read_form_request` or `read_json_request`."""
    path = canonical_url(url).path

    async def answer(request: Request) -> Answer:
        try:
            return await handler(read(request, await request.whole(), url=url))
        except OAuthError as error:
            if error.detail:
                log.info("request_refused", endpoint=url, error=error.error, reason=error.detail)
            if isinstance(error, TooManyRequests):
                audit.write(AuditEvent.RATE_LIMITED, endpoint=path, address=request.peer)
            return error_answer(error, basic=_tried_basic(request))
        except StorageError as error:
            log.error("store_failed", endpoint=url, reason=str(error))  # noqa: TRY400 - its trace says nothing more
            return error_answer(Unavailable(_UNBELIEVED if isinstance(error, SealedOtherwise) else _AWAY))
        except Exception as error:  # noqa: BLE001 - a fault of ours: told in the log, not to the caller
            log.error("request_crashed", endpoint=url, exception=crash_text(error))  # noqa: TRY400
            return error_answer(ServerError("something broke in the server; its log says what"))

    return answer


def _tried_basic(request: Request) -> bool:
    return request.headers.get(b"authorization", b"")[:6].lower() == b"basic "
