"""A client's own token. RFC 6749 section 4.4."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor, AccessTokenIssuer
from ostiary.oauth.server.scope import read_scope


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Its subject is the client itself (RFC 9068 section 5); no person, no refresh token."""

    resources: Resources
    access_tokens: AccessTokenIssuer

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """The token."""
        parameters, client = request.parameters, request.client
        target = self.resources.choose(parameters.all("resource"), client)
        scopes = target.scopes(read_scope(parameters.get("scope")), client, common=frozenset())
        return self.access_tokens.issue(
            AccessTokenFor(
                subject=client.client_id,
                client=client,
                resource=str(target.resource),
                scopes=scopes,
                confirmation=request.confirmation,
            ),
            now=request.now,
        )
