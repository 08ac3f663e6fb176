"""A device asks whether its person has decided. RFC 8628 sections 3.4 and 3.5."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver import device_codes
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions.creation import NewSession, SessionCreated, SessionCreator
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.session_tokens import SessionTokenIssuer, SessionTokens
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.errors import InvalidGrant, OAuthError
from ostiary.oauth.server.resource import same_resource
from ostiary.storage.store import Store


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """Answers devices."""

    store: Store
    resources: Resources
    sessions: SessionCreator
    tokens: SessionTokenIssuer

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """The first tokens of a session, once its person agreed."""
        self.tokens.access_tokens.require_key()
        code = request.parameters.require("device_code")
        polled = await self.store.transaction(lambda connection: self._poll(connection, code, request))
        if isinstance(polled, OAuthError):
            raise polled
        created, target = polled
        self.sessions.announce(created, address=request.form.peer)
        wanted = SessionTokens(
            created.session,
            request.client,
            target,
            created.session.scopes,
            request.confirmation,
            created.refresh_token,
        )
        return self.tokens.issue(wanted, now=request.now)

    def _poll(
        self, connection: Connection, code: str, request: GrantRequest
    ) -> tuple[SessionCreated, Target] | OAuthError:
        """What it gets. A refusal that counts is returned: raised, it would undo the counting."""
        client_id = request.client.client_id
        polled = device_codes.poll(connection, self.store, code, client_id=client_id, now=request.now)
        if isinstance(polled, OAuthError):
            return polled
        same_resource(request.parameters.all("resource"), canonical_url(polled.resource))
        target = self.resources.find(polled.resource)
        if target is None or target.settings.owner_identity != polled.owner:
            raise InvalidGrant(
                "the device code is for a resource that is not here any more, or is another's now"
            )
        new = NewSession(polled, request.client, target, request.confirmation)
        return self.sessions.create(connection, new, now=request.now), target
