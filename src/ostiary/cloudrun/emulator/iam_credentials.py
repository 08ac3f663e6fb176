"""The IAM Credentials API: an account that may act as another one gets that one's tokens.

`POST /v1/projects/-/serviceAccounts/{email}:generateIdToken` and `:generateAccessToken`. The caller shows
an access token; each link of a delegation chain must be a token creator of the next.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.cloudrun.emulator.google_error import InvalidArgument, PermissionDenied, Unauthenticated
from ostiary.cloudrun.emulator.tokens import LIFETIME, AccessTokenUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from ostiary.cloudrun.emulator.google import Google
    from ostiary.cloudrun.emulator.service_accounts import ServiceAccount

ACCOUNT = "/v1/projects/-/serviceAccounts/{account}"


def routes(google: Google) -> list[Route]:
    """The two methods."""

    async def generate_id_token(request: Request) -> Response:
        body = await _read(request)
        target = _impersonated(google, request, body, permission="iam.serviceAccounts.getOpenIdToken")
        audience = body.get("audience")
        if not isinstance(audience, str) or not audience:
            raise InvalidArgument("audience is required")
        token = google.mint.id_token(target, audience, with_email=body.get("includeEmail") is True)
        return JSONResponse({"token": token})

    async def generate_access_token(request: Request) -> Response:
        body = await _read(request)
        target = _impersonated(google, request, body, permission="iam.serviceAccounts.getAccessToken")
        token = google.mint.access_token(target, _strings(body, "scope"), lifetime=_lifetime(body))
        expires = datetime.fromtimestamp(int(token.expires_at), UTC)
        return JSONResponse({"accessToken": token.value, "expireTime": f"{expires:%Y-%m-%dT%H:%M:%SZ}"})

    return [
        Route(f"{ACCOUNT}:generateIdToken", generate_id_token, methods=["POST"]),
        Route(f"{ACCOUNT}:generateAccessToken", generate_access_token, methods=["POST"]),
    ]


def may_act_as(chain: Sequence[str], accounts: Mapping[str, ServiceAccount]) -> bool:
    """Whether each account of the chain, the caller first and the target last, may act as the next one."""
    return all(
        actor in accounts[target].token_creators if target in accounts else False
        for actor, target in pairwise(chain)
    )


def _impersonated(
    google: Google, request: Request, body: Mapping[str, Any], *, permission: str
) -> ServiceAccount:
    target = request.path_params["account"]
    delegates = [name.rpartition("/")[2] for name in _strings(body, "delegates", required=False)]
    if not may_act_as([_caller(google, request).email, *delegates, target], google.accounts):
        raise PermissionDenied(f"Permission '{permission}' denied on resource (or it may not exist).")
    return google.accounts[target]


def _caller(google: Google, request: Request) -> ServiceAccount:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return google.mint.find_access_token(token.strip()).account
    except AccessTokenUnknown:
        pass
    raise Unauthenticated(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
        "or other valid authentication credential."
    )


async def _read(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise InvalidArgument("Invalid JSON payload received.") from None
    if not isinstance(body, dict):
        raise InvalidArgument("Invalid JSON payload received: it is not an object.")
    return body


def _strings(body: Mapping[str, Any], name: str, *, required: bool = True) -> list[str]:
    values = body.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidArgument(f"{name} is a list of strings")
    if required and not values:
        raise InvalidArgument(f"{name} is required")
    return values


def _lifetime(body: Mapping[str, Any]) -> int:
    text = body.get("lifetime") or f"{LIFETIME}s"
    match = re.fullmatch(r"([0-9]{1,6})s", text) if isinstance(text, str) else None
    if match is None or not 0 < int(match[1]) <= LIFETIME:
        raise InvalidArgument(f"lifetime is a duration of at most {LIFETIME}s, such as 600s")
    return int(match[1])
