"""Our access tokens: made for one resource, and read back. RFC 9068."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.oauth.resource_server.access_token import TYPE
from ostiary.oauth.server.access_token import access_token_claims
from ostiary.oauth.server.client import Client
from ostiary.storage.store import digest
from ostiary.unseen import Unseen


class AccessTokenFor(Unseen, frozen=True):
    """Whom a token speaks of, and what for."""

    subject: str
    client: Client
    resource: str
    scopes: Sequence[str]
    tsid: str | None = None
    claims: Mapping[str, Any] | None = None
    """What the resource's `token_claims` asks for."""
    confirmation: Mapping[str, Any] | None = None
    act: Mapping[str, Any] | None = None
    auth_time: float | None = None
    ends_at: float | None = None
    """When it must end at the latest, in seconds since the epoch: with what it was made from."""


@dataclass(frozen=True, slots=True)
class AccessTokenIssuer:
    """Makes them. issuer: our name."""

    issuer: str
    signing: SigningKeys
    lifetime: timedelta

    def require_key(self) -> None:
        """Raise Unavailable when there is no key to sign with: then nothing is spent."""
        self.signing.signer()

    def issue(self, what: AccessTokenFor, *, now: float) -> AccessTokenResponse:
        """The token, and its `jti` inside. Raises Unavailable when there is no key to sign with."""
        lifetime = self.lifetime.total_seconds()
        if what.ends_at is not None:
            lifetime = min(lifetime, what.ends_at - now)
        claims = access_token_claims(
            issuer=self.issuer,
            subject=what.subject,
            audience=what.resource,
            client_id=what.client.client_id,
            scopes=what.scopes,
            jti=secrets.token_urlsafe(16),
            now=now,
            lifetime=lifetime,
            tsid=what.tsid,
            claims=what.claims,
            confirmation=what.confirmation,
            act=what.act,
            auth_time=what.auth_time,
        )
        bound_to_key = what.confirmation is not None and "jkt" in what.confirmation
        return AccessTokenResponse(
            access_token=self.signing.sign(claims, typ=TYPE),
            expires_in=int(lifetime),
            scopes=tuple(what.scopes),
            token_type="DPoP" if bound_to_key else "Bearer",
            audit_fields={
                "subject": what.subject,
                "resource": what.resource,
                "session": None if what.tsid is None else digest(what.tsid),
                "act": what.act,
                "jti": claims["jti"],
            },
        )
