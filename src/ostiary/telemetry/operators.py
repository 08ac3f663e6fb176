"""Who may see more than counts: whoever is on this machine, or shows the operators' token.

It comes as a bearer token, or, from a browser, as the password of any name (RFC 6750, RFC 7617). Beyond this
machine nothing is shown where no token is configured.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ostiary.secrets import Secret, SecretUnavailable

CHALLENGE = 'Basic realm="ostiary", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Operators:
    """Of one listener. is_local: whether nobody but this machine gets here."""

    token: Secret | None
    """What they show; None for whoever is on this machine."""
    is_local: bool

    def refusal(self, request: Request) -> Response | None:
        """What is answered to whoever may not; None for those who may."""
        if self.token is None:
            return None if self.is_local else _refused("to see it from elsewhere, set telemetry.status_token")
        try:
            token = self.token.reveal()
        except SecretUnavailable:
            return _refused("the token that telemetry.status_token names is not there")
        shown = _shown(request.headers.get("authorization", "").encode("latin-1"))
        if hmac.compare_digest(shown, token.encode()):
            return None
        return _refused("show the token of telemetry.status_token", 401, {"www-authenticate": CHALLENGE})


EVERYBODY_HERE = Operators(None, is_local=True)


def _shown(header: bytes) -> bytes:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _refused(description: str, status: int = 403, headers: dict[str, str] | None = None) -> Response:
    error = {"error": "forbidden" if status == 403 else "unauthorized", "error_description": description}
    return JSONResponse(error, status, headers={"cache-control": "no-store", **(headers or {})})
