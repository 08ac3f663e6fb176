"""Who acts for the subject of an exchange: the client that asks, or a workload that its token names.

RFC 8693 sections 1.1 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.assertions.assertion_policy import require_may_bring
from ostiary.authserver.assertions.key_binding import require_same_key
from ostiary.authserver.assertions.subject_token import Subject
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.services import Parts
from ostiary.authserver.trusted_jwts.error_mapping import refused_as
from ostiary.authserver.trusted_jwts.verification import ForeignJwt, verified
from ostiary.oauth.client.token_exchange import TypedToken
from ostiary.oauth.jwt_claims import check_claims
from ostiary.oauth.server.client_assertion import TYPES
from ostiary.oauth.server.delegation import Actor, nested_act
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.trusted_subject import matches_subject

NAME = "the actor token"


async def who_acts(actor_token: TypedToken | None, request: GrantRequest, parts: Parts) -> Actor:
    """The actor. Raises InvalidRequest (RFC 8693 section 2.2.2), UnauthorizedClient, Unavailable."""
    if actor_token is None:
        client_id = request.client.client_id
        return Actor(parts.issuer, client_id, client_id)
    with refused_as(InvalidRequest, NAME):
        foreign = await verified(
            actor_token.value, parts.settings.trusted_issuers, TrustedUse.WORKLOAD, parts.key_sets
        )
    trusted, claims = foreign.trusted, foreign.claims
    require_may_bring(request.client, trusted)
    with refused_as(InvalidRequest, NAME):
        audience = parts.issuer if trusted.audience is None else trusted.audience
        check_claims(claims, issuers={trusted.issuer}, audiences={audience}, now=request.now)
    _check_purpose(foreign, audience)
    require_same_key(claims, request.confirmation, kind=InvalidRequest, name=NAME)
    if "act" in claims:
        raise InvalidRequest(f"{NAME} speaks of somebody for whom another one acts")
    if not any(matches_subject(pattern, claims["sub"]) for pattern in trusted.subjects):
        raise InvalidRequest(f"{NAME} is of a workload that is not known here")
    return Actor(trusted.issuer, claims["sub"])


def _check_purpose(foreign: ForeignJwt, audience: str) -> None:
    """As of a workload that is a client: one made for this, and for us alone."""
    typ = foreign.typ
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    if not isinstance(named, str | None) or named not in TYPES:
        raise InvalidRequest(f"{NAME} is another kind of JWT", detail=f"typ {typ!r:.80}")
    if foreign.claims["aud"] not in (audience, [audience]):
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
