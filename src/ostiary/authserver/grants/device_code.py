"""A device asks whether its person has decided. RFC 8628 sections 3.4 and 3.5."""

from __future__ import annotations

from sqlalchemy import Connection

from ostiary.authserver import devices
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Target
from ostiary.authserver.services import Services
from ostiary.authserver.sessions.creation import NewSession, SessionCreated, after_creation, create_session
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.session_tokens import SessionTokens, issue_session_tokens
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.errors import InvalidGrant, OAuthError
from ostiary.oauth.server.resource import same_resource
from ostiary.transport.stepping import in_task


async def device_code(request: GrantRequest, services: Services) -> AccessTokenResponse:
    """The first tokens of a session, once its person agreed."""
    services.signing.signer()  # without a key nothing is spent
    code = request.parameters.require("device_code")
    polled = await in_task(
        services.store.transaction(lambda connection: _poll(connection, code, request, services))
    )
    if isinstance(polled, OAuthError):
        raise polled
    created, target = polled
    after_creation(services, created, address=request.form.peer)
    wanted = SessionTokens(
        created.session,
        request.client,
        target,
        created.session.scopes,
        request.confirmation,
        created.refresh_token,
    )
    return issue_session_tokens(wanted, services, now=request.now)


def _poll(
    connection: Connection, code: str, request: GrantRequest, services: Services
) -> tuple[SessionCreated, Target] | OAuthError:
    """What it gets. A refusal that counts is returned: raised, it would undo the counting."""
    polled = devices.poll(
        connection, services.store, code, client_id=request.client.client_id, now=request.now
    )
    if isinstance(polled, OAuthError):
        return polled
    same_resource(request.parameters.all("resource"), canonical_url(polled.resource))
    target = services.resources.find(polled.resource)
    if target is None or target.settings.owner != polled.owner:
        raise InvalidGrant("the device code is for a resource that is not here any more, or is another's now")
    new = NewSession(polled, request.client, target, request.confirmation)
    return create_session(connection, services.store, new, services.settings.tokens, now=request.now), target
