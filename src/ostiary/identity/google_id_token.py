"""What Google's ID tokens need besides a good signature: anybody can get one, so who may come in is listed.

https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.oauth.errors import AccessDenied, InvalidToken
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.access_token import media_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.identity.inbound_settings import AllowedGoogleAccount

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
"""Google writes its name in both ways."""


def require_id_token(claims: Mapping[str, Any], typ: object) -> None:
    """Raise InvalidToken for what else Google signs with these keys: such as security events (RFC 8417)."""
    if media_type(typ) not in {None, "jwt"} or "events" in claims:
        raise InvalidToken(
            "the token is not an ID token", reason=Refusal.WRONG_KIND, detail=f"typ {typ!r:.80}"
        )


def require_allowed(claims: Mapping[str, Any], allow: Sequence[AllowedGoogleAccount]) -> None:
    """Raise AccessDenied unless the account is on the list; by e-mail only when Google verified it."""
    email = claims.get("email")
    by_email = isinstance(email, str) and any(_matches(entry, email) for entry in allow)
    if any(entry.sub is not None and entry.sub == claims["sub"] for entry in allow):
        return
    if by_email and claims.get("email_verified") is True:
        return
    if by_email:
        raise AccessDenied(
            "the account's e-mail address is not verified",
            reason=Refusal.EMAIL_NOT_VERIFIED,
            detail=f"{email!r} is on the list, and email_verified is not true",
        )
    raise AccessDenied(
        "this account may not call here",
        reason=Refusal.NOT_ALLOWED,
        detail=f"subject {claims['sub']!r} with e-mail address {email!r} is not on the list",
    )


def _matches(entry: AllowedGoogleAccount, email: str) -> bool:
    if entry.email is None:
        return False
    wanted, given = entry.email.lower(), email.lower()
    if wanted.startswith("*@"):
        return given.rpartition("@")[2] == wanted[2:]
    return given == wanted
