"""A client's own token. RFC 6749 section 4.4."""

from __future__ import annotations

from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.services import Services
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor, issue_access_token
from ostiary.oauth.server.scope import read_scope


async def client_credentials(request: GrantRequest, services: Services) -> AccessTokenResponse:
    """Its subject is the client itself (RFC 9068 section 5); no person, no refresh token."""
    target = services.resources.choose(request.parameters.all("resource"), request.client)
    scopes = target.scopes(read_scope(request.parameters.get("scope")), request.client, common=frozenset())
    return issue_access_token(
        AccessTokenFor(
            subject=request.client.client_id,
            client=request.client,
            resource=str(target.resource),
            scopes=scopes,
            confirmation=request.confirmation,
        ),
        services,
        now=request.now,
    )
