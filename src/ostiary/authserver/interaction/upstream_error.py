"""What a client hears of a login that failed. RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6."""

from __future__ import annotations

from ostiary.authserver.idps.idp import IdpDenied, IdpError, IdpUnavailable
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.errors import (
    InteractionRequired,
    LoginRequired,
    RequestDenied,
    ServerError,
    Unavailable,
)

_NOT_WITHOUT_A_PAGE = frozenset({"interaction_required", "consent_required", "account_selection_required"})


def oauth_error(error: IdpError, name: str) -> OAuthError:
    """name: of the provider, as people know it. What the provider said besides its code is for the log."""
    detail = str(error)
    match error:
        case IdpDenied(error="login_required"):
            return LoginRequired(f"nobody is signed in at {name}", detail=detail)
        case IdpDenied(error=code) if code in _NOT_WITHOUT_A_PAGE:
            return InteractionRequired(f"{name} has to ask the person something", detail=detail)
        case IdpDenied():
            return RequestDenied(f"the sign-in at {name} was refused", detail=detail)
        case IdpUnavailable():
            unavailable = f"{name} cannot be reached now, or does not answer"
            return Unavailable(unavailable, retry_after=error.retry_after, detail=detail)
        case _:
            return ServerError(f"{name} gave an answer that cannot be used", detail=detail)
