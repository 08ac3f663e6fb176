"""A company's IdP vouches for its user, for one client at one resource: an ID-JAG.

draft-ietf-oauth-identity-assertion-authz-grant; MCP enterprise-managed authorization.

The user is the one who signs in at that IdP (issuer and subject), the consent is the company's, and the
assertion is worth one token. See `vouched_session` for what goes on between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver import replay_store
from ostiary.authserver.assertions.assertion_policy import require_client_allowed, require_resource_allowed
from ostiary.authserver.assertions.assertion_subject import assertion_subject, claims_for
from ostiary.authserver.assertions.key_binding import require_same_key
from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions.vouched_session import VouchedFor, Vouching, begin_or_go_on
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor, AccessTokenIssuer
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.authserver.trusted_jwts.verification import TrustedJwt
from ostiary.authserver.upstream_account import Identity
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidGrant, InvalidScope
from ostiary.oauth.server.id_jag import IdJag, check_id_jag
from ostiary.oauth.server.resource import same_resource
from ostiary.oauth.server.scope import read_scope
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit

NAME = "the assertion"


@dataclass(frozen=True, slots=True)
class IdJagRedemption:
    """Redeems them. issuer: our name; life: of sessions."""

    issuer: str
    store: Store
    resources: Resources
    life: TokenSettings
    audit: Audit
    access_tokens: AccessTokenIssuer

    async def __call__(self, trusted_jwt: TrustedJwt, request: GrantRequest) -> AccessTokenResponse:
        """Raises InvalidGrant, InvalidTarget, InvalidScope, UnauthorizedClient, StorageError."""
        trusted = trusted_jwt.trusted
        require_client_allowed(request.client, trusted)
        id_jag, person = self._checked(trusted_jwt, request)
        target = self._target(id_jag, trusted, request)
        scopes = _scopes(id_jag, target, request)
        vouched = VouchedFor(person, request.client, target, scopes, _auth_time(id_jag))

        def redeem(connection: Connection) -> Vouching:
            name = f"id-jag {id_jag.issuer} {id_jag.jti}"
            if not replay_store.take(connection, name, expires_at=id_jag.expires_at):
                raise InvalidGrant("the assertion was used before; ask the identity provider for another one")
            return begin_or_go_on(connection, self.store, vouched, self.life, now=request.now)

        vouching = await self.store.transaction(redeem)
        session = vouching.session
        if vouching.is_new:
            self.audit.write(AuditEvent.SESSION_STARTED, **session.audit_fields, address=request.form.peer)
        return self.access_tokens.issue(
            AccessTokenFor(
                subject=session.user_id,
                client=request.client,
                resource=session.resource,
                scopes=scopes,
                tsid=session.secret.tsid,
                claims=claims_for(target, person),
                confirmation=request.confirmation,
                auth_time=vouched.auth_time,
            ),
            now=request.now,
        )

    def _checked(self, trusted_jwt: TrustedJwt, request: GrantRequest) -> tuple[IdJag, Identity]:
        """Every word of the assertion. Raises InvalidGrant."""
        trusted = trusted_jwt.trusted
        id_jag = check_id_jag(
            trusted_jwt.claims,
            trusted_jwt.typ,
            issuer=trusted.issuer,
            our_issuer=self.issuer if trusted.audience is None else trusted.audience,
            client_id=request.client.client_id,
            now=request.now,
            max_age=trusted.max_age.total_seconds(),
        )
        require_same_key(id_jag.claims, request.confirmation, kind=InvalidGrant, name=NAME)
        with map_invalid_token(InvalidGrant, NAME):
            return id_jag, assertion_subject(id_jag.claims, trusted)

    def _target(self, id_jag: IdJag, trusted: TrustedIssuer, request: GrantRequest) -> Target:
        """What the assertion is for; a request may say it again, and nothing else."""
        target = self.resources.choose([id_jag.resource], request.client)
        same_resource(request.parameters.all("resource"), canonical_url(id_jag.resource))
        require_resource_allowed(trusted, target.resource)
        return target


def _scopes(id_jag: IdJag, target: Target, request: GrantRequest) -> tuple[str, ...]:
    """What the client asks for and its company allows, which may be less: it was asked the same."""
    client = request.client
    scopes = target.scopes(read_scope(request.parameters.get("scope")), client, common=frozenset())
    if not id_jag.scopes:
        return scopes
    if "scope" not in request.parameters:
        scopes = target.scopes(_known(id_jag, target, client), client, common=frozenset())
    kept = tuple(scope for scope in scopes if scope in id_jag.scopes)
    if scopes and not kept:
        raise InvalidScope("the assertion allows none of these scopes")
    return kept


def _known(id_jag: IdJag, target: Target, client: Client) -> list[str]:
    most = target.ceiling(client, common=frozenset())
    return [scope for scope in target.settings.scopes if scope in id_jag.scopes and scope in most]


def _auth_time(id_jag: IdJag) -> int | None:
    """When the user proved themselves, if their company says so."""
    said = id_jag.claims.get("auth_time")
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None
