"""What goes wrong, as the RFCs name it.

    OAuthError
    ├── InvalidRequest          400  RFC 6750 3.1
    ├── InvalidDpopProof        400  RFC 9449 5
    ├── TokenRefused                 has a `reason` for the log
    │   ├── InvalidToken        401  RFC 6750 3.1
    │   ├── InsufficientScope   403  RFC 6750 3.1
    │   └── AccessDenied        403  RFC 6749 4.1.2.1
    └── TemporarilyUnavailable  503  RFC 6749 4.1.2.1

Raise where the rule breaks, render in one place.
"""

from __future__ import annotations

import re
from typing import ClassVar

from ostiary.oauth.refusal import Refusal

_NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]+")
_LONGEST_DESCRIPTION = 500


class OAuthError(Exception):
    """One of the RFCs' error codes, a sentence for the caller, and a detail for the log."""

    error: ClassVar[str]
    status: ClassVar[int] = 400

    def __init__(self, description: str, *, detail: str = "") -> None:
        super().__init__(description)
        self.description = description
        """For the caller: no secrets, no stored values."""
        self.detail = detail
        """For the log: what exactly was wrong; no secrets either."""

    @property
    def error_description(self) -> str:
        """`description`, in the characters that an answer may have (RFC 6749 sections 4.1.2.1 and 5.2)."""
        return _NOT_IN_A_DESCRIPTION.sub(" ", self.description)[:_LONGEST_DESCRIPTION]


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated or malformed."""

    error = "invalid_request"


class InvalidDpopProof(OAuthError):
    """The proof of possession is missing, malformed, stale, or of another key."""

    error = "invalid_dpop_proof"


class TokenRefused(OAuthError):
    """A bearer token that does not open this door."""

    def __init__(self, description: str, *, reason: Refusal, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.reason = reason
        """The same cause in one stable word, for logs and metrics."""


class InvalidToken(TokenRefused):
    """The token is expired, revoked, malformed, or not for us."""

    error = "invalid_token"
    status = 401


class InsufficientScope(TokenRefused):
    """The token is good and has too little scope; `scopes` is what is needed."""

    error = "insufficient_scope"
    status = 403

    def __init__(self, description: str, *, scopes: tuple[str, ...], detail: str = "") -> None:
        super().__init__(description, reason=Refusal.MISSING_SCOPE, detail=detail)
        self.scopes = scopes


class AccessDenied(TokenRefused):
    """The token is good and its holder may not come in; no other scope would help."""

    error = "access_denied"
    status = 403


class TemporarilyUnavailable(OAuthError):
    """We can't decide now, so we refuse; the same request may succeed later."""

    error = "temporarily_unavailable"
    status = 503

    def __init__(self, description: str, *, reason: Refusal, retry_after: int, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.reason = reason
        self.retry_after = retry_after
        """Seconds after which it is worth trying again."""
