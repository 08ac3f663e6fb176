"""The token endpoint: an assertion signed with a service account's key → an ID token or an access token.

RFC 7523 section 2.1. The assertion's `target_audience` asks for an ID token, its `scope` for an access token.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.cloudrun.emulator.google_error import GrantRefused
from ostiary.cloudrun.emulator.keys import BadSignature
from ostiary.cloudrun.emulator.tokens import LIFETIME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.requests import Request

    from ostiary.cloudrun.emulator.google import Google
    from ostiary.cloudrun.emulator.service_accounts import ServiceAccount

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLES_OWN = "https://oauth2.googleapis.com/token"
"""The audience that google-auth writes, whatever URL it sends the assertion to."""
LEEWAY = 60
LONGEST_LIFE = 3600


def routes(google: Google) -> list[Route]:
    """`POST /token`."""
    audiences = {GOOGLES_OWN, f"{google.url}/token"}

    async def token(request: Request) -> Response:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if fields.get("grant_type") != GRANT_TYPE:
            raise GrantRefused("unsupported_grant_type", f"Invalid grant_type: it must be {GRANT_TYPE}.")
        # The holder of the key does not know that our time was moved: its assertion is made just now.
        account, claims = read_assertion(
            fields.get("assertion", ""), google.accounts, audiences, now=time.time()
        )
        return JSONResponse(_issue(google, account, claims))

    return [Route("/token", token, methods=["POST"])]


def read_assertion(
    assertion: str, accounts: Mapping[str, ServiceAccount], audiences: Collection[str], *, now: float
) -> tuple[ServiceAccount, dict[str, Any]]:
    """Whose assertion this is, and what it claims. Raises GrantRefused."""
    account = accounts.get(_unverified_issuer(assertion))
    if account is None or account.key is None:
        raise GrantRefused("invalid_grant", "Invalid grant: account not found")
    try:
        claims = account.key.verify(assertion)
    except BadSignature:
        raise GrantRefused("invalid_grant", "Invalid JWT Signature.") from None
    if claims.get("aud") not in audiences:
        raise GrantRefused("invalid_grant", "Invalid JWT: Failed audience check.")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not (isinstance(issued, int) and isinstance(expires, int)):
        raise GrantRefused("invalid_grant", "Invalid JWT: iat and exp must be numbers.")
    if issued > now + LEEWAY or expires <= now - LEEWAY or expires - issued > LONGEST_LIFE:
        raise GrantRefused(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
            "Check your iat and exp values in the JWT claim.",
        )
    return account, claims


def _unverified_issuer(assertion: str) -> str:
    try:
        return str(json.loads(jws.extract_compact(assertion.encode()).payload)["iss"])
    except (JoseError, ValueError, KeyError, TypeError):
        raise GrantRefused("invalid_grant", "Invalid JWT: it is not a signed JWT with an issuer.") from None


def _issue(google: Google, account: ServiceAccount, claims: Mapping[str, Any]) -> dict[str, Any]:
    match claims:
        case {"target_audience": str(audience)} if audience:
            return {"id_token": google.mint.id_token(account, audience, with_email=True)}
        case {"scope": str(scope)} if scope:
            token = google.mint.access_token(account, scope.split())
            return {"access_token": token.value, "expires_in": LIFETIME, "token_type": "Bearer"}
    raise GrantRefused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
