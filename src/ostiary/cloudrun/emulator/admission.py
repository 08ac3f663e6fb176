"""May this request pass? The decision of Cloud Run's front end, without any I/O.

    X-Serverless-Authorization is looked at, and only without it Authorization
    no token                              403
    a token that is not ours, old, or for another service, or an access token      401
    a good token of somebody who is no invoker                                     403

What passes goes on with the signature taken off the token that was looked at: whoever is behind the
front end can read who called, and nobody can use the token again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ostiary.cloudrun.emulator.invokers import TokenHolder, is_public, may_invoke
from ostiary.cloudrun.emulator.keys import BadSignature
from ostiary.cloudrun.emulator.tokens import ACCESS_TOKEN_PREFIX, ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RawHeaders = list[tuple[bytes, bytes]]
"""Headers as ASGI has them: names in lower case."""

SERVERLESS = b"x-serverless-authorization"
AUTHORIZATION = b"authorization"
SIGNATURE_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
LEEWAY = 30
"""Seconds that a token may be ahead. Google does not say how many it forgives; for IAP, which it says, 30."""
ISSUERS = frozenset({ISSUER, ISSUER.removeprefix("https://")})


class AdmissionRefused(Exception):
    """Refused: NotAuthenticated 403 · TokenRefused 401 · NotAnInvoker 403. The message is for the log."""

    status: ClassVar[int]


class NotAuthenticated(AdmissionRefused):
    """There is no token."""

    status = 403


class TokenNotAdmitted(AdmissionRefused):
    """The token proves nothing to this service."""

    status = 401


class NotAnInvoker(AdmissionRefused):
    """The token is good, and its owner may not call this service."""

    status = 403


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may call one service, and with tokens for whom."""

    invokers: tuple[str, ...]
    audiences: frozenset[str]
    emails: Mapping[str, str]
    """The accounts that Google knows: `sub` → e-mail address. A token need not spell its address out."""


def admit(
    headers: RawHeaders, policy: AccessPolicy, *, verify: Callable[[str], dict[str, Any]], now: float
) -> RawHeaders:
    """The headers that the container gets. Raises AdmissionRefused.

    verify: gives the claims of a token that Google signed, or raises BadSignature.
    """
    if is_public(policy.invokers):
        return headers
    name, token = presented_token(headers)
    claims = _claims(token, verify)
    require_valid(claims, policy.audiences, now)
    caller = caller_of(claims, policy.emails)
    if not may_invoke(caller, policy.invokers):
        raise NotAnInvoker(
            f"{caller.email or 'the caller, whose token names no e-mail address,'} is no invoker"
        )
    return _without_signature(headers, name, token)


def presented_token(headers: RawHeaders) -> tuple[bytes, str]:
    """The header that counts, and the token in it."""
    for name in (SERVERLESS, AUTHORIZATION):
        values = [value for header, value in headers if header == name]
        if len(values) > 1:
            raise TokenNotAdmitted(f"{name.decode()} was sent {len(values)} times")
        if values:
            scheme, _, token = values[0].decode("latin-1").partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise TokenNotAdmitted(f"{name.decode()} has no bearer token")
            return name, token.strip()
    raise NotAuthenticated("there is no token")


def require_valid(claims: Mapping[str, Any], audiences: frozenset[str], now: float) -> None:
    """Check issuer, times and audience of a token whose signature is good."""
    if claims.get("iss") not in ISSUERS:
        raise TokenNotAdmitted("its issuer is not Google")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise TokenNotAdmitted("it has no expiry")
    if expires <= now:
        raise TokenNotAdmitted(f"it expired {now - expires:.0f} s ago")
    issued = claims.get("iat")
    if isinstance(issued, int | float) and issued > now + LEEWAY:
        raise TokenNotAdmitted(f"it is from {issued - now:.0f} s ahead of our clock")
    audience = claims.get("aud")
    if not isinstance(audience, str) or audience not in audiences:
        raise TokenNotAdmitted(
            f"its audience is {audience!r}, and this service takes {', '.join(sorted(audiences))}"
        )


def caller_of(claims: Mapping[str, Any], emails: Mapping[str, str]) -> TokenHolder:
    """Whom the claims name: an account that Google knows, or somebody whose address it verified."""
    email = emails.get(str(claims.get("sub")))
    if email is None and claims.get("email_verified") is True and isinstance(claims.get("email"), str):
        email = claims["email"]
    return TokenHolder(email, is_service_account=email is not None and email.endswith(".gserviceaccount.com"))


def _claims(token: str, verify: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    if token.startswith(ACCESS_TOKEN_PREFIX) or token.count(".") != 2:
        raise TokenNotAdmitted("it is not an ID token but an opaque one, such as an access token")
    try:
        return verify(token)
    except BadSignature as error:
        raise TokenNotAdmitted(f"its signature is not Google's ({error})") from None


def _without_signature(headers: RawHeaders, name: bytes, token: str) -> RawHeaders:
    unsigned = f"Bearer {token.rpartition('.')[0]}.{SIGNATURE_REMOVED}".encode("latin-1")
    return [(header, unsigned if header == name else value) for header, value in headers]
