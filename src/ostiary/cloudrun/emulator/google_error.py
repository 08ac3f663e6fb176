"""How Google's APIs refuse: JSON of one shape for the APIs, and RFC 6749's for the token endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from starlette.responses import JSONResponse, Response

from ostiary.event_log import event_log

if TYPE_CHECKING:
    from starlette.requests import Request

log = event_log("ostiary.cloudrun")


class GoogleError(Exception):
    """GoogleError: InvalidArgument 400 · Unauthenticated 401 · PermissionDenied 403 · TokenRefused 400"""

    status: ClassVar[int]
    code: ClassVar[str]

    def response(self) -> Response:
        """The answer to the caller (AIP-193)."""
        error = {"code": self.status, "message": str(self), "status": self.code}
        return JSONResponse({"error": error}, self.status)


class InvalidArgument(GoogleError):
    """The request does not say what it must."""

    status, code = 400, "INVALID_ARGUMENT"


class Unauthenticated(GoogleError):
    """There is no valid access token with the request."""

    status, code = 401, "UNAUTHENTICATED"


class PermissionDenied(GoogleError):
    """The caller may not do this."""

    status, code = 403, "PERMISSION_DENIED"


class GrantRefused(GoogleError):
    """The token endpoint gives nothing for this; `error` is RFC 6749's code."""

    status, code = 400, "INVALID_ARGUMENT"

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error

    def response(self) -> Response:
        return JSONResponse({"error": self.error, "error_description": str(self)}, self.status)


async def answer(request: Request, error: Exception) -> Response:
    """Render any GoogleError, and say in the log what was refused."""
    if not isinstance(error, GoogleError):  # Starlette's handlers take any exception, and give us only these
        raise error
    log.warning("google_api_refused", path=request.url.path, status=error.status, reason=str(error))
    return error.response()
