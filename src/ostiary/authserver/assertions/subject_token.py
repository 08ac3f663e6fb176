"""Whom an exchange speaks of: an access token of an issuer that is trusted for it. RFC 8693 section 2.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ostiary.authserver.assertions.assertion_policy import require_client_allowed
from ostiary.authserver.assertions.assertion_subject import assertion_subject
from ostiary.authserver.assertions.key_binding import require_same_key
from ostiary.authserver.config.trusted_issuers import TrustedIssuer, TrustedUse
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.authserver.trusted_jwts.verification import TrustedIssuers
from ostiary.authserver.upstream_account import Identity
from ostiary.oauth.canonical_url import UrlRefused
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.trusted_subject import check_subject_token

NAME = "the subject token"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject token whose every word was checked."""

    trusted: TrustedIssuer
    person: Identity
    claims: Mapping[str, Any] = field(repr=False)
    expires_at: float


async def read_subject_token(
    token: str, request: GrantRequest, issuers: TrustedIssuers, resources: Resources, *, issuer: str
) -> Subject:
    """issuer: our name. Raises InvalidRequest (RFC 8693 section 2.2.2), UnauthorizedClient, Unavailable."""
    if unverified_claims(token).get("iss") == issuer:
        raise InvalidRequest(
            "a token of this server is not exchanged here: a token is for one resource; "
            "sign in, or use the client's own grant, for another one"
        )
    with map_invalid_token(InvalidRequest, NAME):
        trusted_jwt = await issuers.verify(token, TrustedUse.SUBJECT_TOKEN)
    trusted, claims = trusted_jwt.trusted, trusted_jwt.claims
    require_client_allowed(request.client, trusted)
    check_subject_token(
        claims,
        trusted_jwt.typ,
        issuer=trusted.issuer,
        audiences=_audiences(claims, trusted, resources) - {request.client.client_id},
        required_typ=trusted.required_typ,
        now=request.now,
    )
    require_same_key(claims, request.confirmation, kind=InvalidRequest, name=NAME)
    expires_at = float(claims["exp"])
    if expires_at < request.now + 1:  # what comes of it ends with it, so nothing of the leeway is left
        raise InvalidRequest("the subject token has expired")
    with map_invalid_token(InvalidRequest, NAME):
        person = assertion_subject(claims, trusted)
    return Subject(trusted, person, claims, expires_at)


def _audiences(claims: Mapping[str, Any], trusted: TrustedIssuer, resources: Resources) -> frozenset[str]:
    """The audience that was agreed on; else those of the token that are resources of ours."""
    if trusted.audience is not None:
        return frozenset({trusted.audience})
    named = claims.get("aud")
    return frozenset(
        one
        for one in (named if isinstance(named, list) else [named])
        if isinstance(one, str) and _is_ours(one, resources)
    )


def _is_ours(audience: str, resources: Resources) -> bool:
    try:
        return resources.find(audience) is not None
    except UrlRefused:
        return False
