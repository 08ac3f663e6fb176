"""Who acts for the subject of an exchange: the client that asks, or a workload that its token names.

RFC 8693 sections 1.1 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.assertions.assertion_policy import require_client_allowed
from ostiary.authserver.assertions.key_binding import require_same_key
from ostiary.authserver.assertions.subject_token import Subject
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.authserver.trusted_jwts.verification import TrustedIssuers, TrustedJwt
from ostiary.oauth.client.token_exchange import TypedToken
from ostiary.oauth.jwt_claims import check_claims
from ostiary.oauth.server.client_assertion import TYPES
from ostiary.oauth.server.delegation import Actor, nested_act
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.trusted_subject import matches_subject

NAME = "the actor token"


async def read_actor(
    actor_token: TypedToken | None, request: GrantRequest, issuers: TrustedIssuers, *, issuer: str
) -> Actor:
    """The actor. issuer: our name.

    Raises InvalidRequest (RFC 8693 section 2.2.2), UnauthorizedClient, Unavailable.
    """
    if actor_token is None:
        client_id = request.client.client_id
        return Actor(issuer, client_id, client_id)
    with map_invalid_token(InvalidRequest, NAME):
        trusted_jwt = await issuers.verify(actor_token.value, TrustedUse.WORKLOAD)
    trusted, claims = trusted_jwt.trusted, trusted_jwt.claims
    require_client_allowed(request.client, trusted)
    with map_invalid_token(InvalidRequest, NAME):
        audience = issuer if trusted.audience is None else trusted.audience
        check_claims(claims, issuers={trusted.issuer}, audiences={audience}, now=request.now)
    _check_purpose(trusted_jwt, audience)
    require_same_key(claims, request.confirmation, kind=InvalidRequest, name=NAME)
    if "act" in claims:
        raise InvalidRequest(f"{NAME} speaks of somebody for whom another one acts")
    if not any(matches_subject(pattern, claims["sub"]) for pattern in trusted.subjects):
        raise InvalidRequest(f"{NAME} is of a workload that is not known here")
    return Actor(trusted.issuer, claims["sub"])


def _check_purpose(trusted_jwt: TrustedJwt, audience: str) -> None:
    """As of a workload that is a client: one made for this, and for us alone."""
    typ = trusted_jwt.typ
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    if not isinstance(named, str | None) or named not in TYPES:
        raise InvalidRequest(f"{NAME} is another kind of JWT", detail=f"typ {typ!r:.80}")
    if trusted_jwt.claims["aud"] not in (audience, [audience]):
        raise InvalidRequest(f"{NAME} is for somebody else as well")


def act_claim(actor: Actor, subject: Subject) -> dict[str, Any]:
    """The `act` of the new token, those who acted before inside it. Raises InvalidRequest."""
    return nested_act(actor.claims, _named_whole(subject.claims.get("act"), subject.trusted.issuer))


def _named_whole(act: object, issuer: str) -> object:
    """In a token of ours, an actor without its issuer would be read as one of ours."""
    if not isinstance(act, Mapping):
        return act
    inner = {"act": _named_whole(act["act"], issuer)} if "act" in act else {}
    return {"iss": issuer, **act, **inner}
