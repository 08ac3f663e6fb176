"""A trusted issuer's token → ours: somebody acts for the person it speaks of. RFC 8693.

Somebody has agreed to that, or there is no token (`oauth/delegation`). What comes out says who acts (`act`),
ends with the token that went in, and has no session: nobody reaches a person's connected accounts, or gets a
refresh token, by acting for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from ostiary.authserver.assertions.actor_token import act_claim, read_actor
from ostiary.authserver.assertions.assertion_policy import require_resource_allowed
from ostiary.authserver.assertions.assertion_subject import claims_for
from ostiary.authserver.assertions.subject_token import Subject, read_subject_token
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions import users
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor, AccessTokenIssuer
from ostiary.authserver.trusted_jwts.verification import TrustedIssuers
from ostiary.oauth.jwt_claims import scopes_of
from ostiary.oauth.server.delegation import permit_delegation
from ostiary.oauth.server.errors import InvalidScope
from ostiary.oauth.server.scope import narrowed
from ostiary.oauth.server.token_exchange import ExchangeRequest, read_exchange
from ostiary.storage.store import Store

MOST = 900.0
"""Seconds that a token lives at most: it has no session that could be ended."""


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """Exchanges tokens. issuer: our name."""

    issuer: str
    issuers: TrustedIssuers
    store: Store
    resources: Resources
    access_tokens: AccessTokenIssuer

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """A token with which the client, or the actor that it names, acts for somebody at one resource."""
        exchange = read_exchange(request.parameters)
        self.access_tokens.require_key()
        return await self._exchanged(exchange, request)

    async def _exchanged(self, exchange: ExchangeRequest, request: GrantRequest) -> AccessTokenResponse:
        subject = await read_subject_token(
            exchange.subject.value, request, self.issuers, self.resources, issuer=self.issuer
        )
        actor = await read_actor(exchange.actor, request, self.issuers, issuer=self.issuer)
        permit_delegation(
            subject.claims,
            actor,
            allow_may_act=subject.trusted.allow_may_act,
            allowed_actors=subject.trusted.allowed_actors,
        )
        act = act_claim(actor, subject)
        named = tuple(dict.fromkeys(exchange.resources + exchange.audiences))
        target = self.resources.choose(named, request.client)
        require_resource_allowed(subject.trusted, target.resource)
        scopes = _scopes(exchange, subject, target, request)
        response = self.access_tokens.issue(
            AccessTokenFor(
                subject=await self._user_id(subject, request),
                client=request.client,
                resource=str(target.resource),
                scopes=scopes,
                claims=claims_for(target, subject.person),
                confirmation=request.confirmation,
                act=act,
                ends_at=min(subject.expires_at, request.now + MOST),
            ),
            now=request.now,
        )
        return msgspec.structs.replace(response, issued_token_type=exchange.requested_token_type)

    async def _user_id(self, subject: Subject, request: GrantRequest) -> str:
        def spoken_of(connection: Connection) -> str:
            return users.find_or_create_user(connection, self.store, subject.person, now=request.now)

        return await self.store.transaction(spoken_of)


def _scopes(
    exchange: ExchangeRequest, subject: Subject, target: Target, request: GrantRequest
) -> tuple[str, ...]:
    """What is asked for, if the subject token is worth it; else what it is worth of the resource's own."""
    worth = subject.trusted.scopes
    granted = scopes_of(subject.claims) if worth is None else worth
    scopes = target.scopes(exchange.scopes, request.client, common=frozenset())
    if exchange.scopes:
        return narrowed(scopes, list(granted))
    kept = tuple(scope for scope in scopes if scope in granted)
    if scopes and not kept:
        raise InvalidScope("the subject token has none of the scopes of this resource")
    return kept
