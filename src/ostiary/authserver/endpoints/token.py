"""The token endpoint: authenticate the client, choose the grant, answer. RFC 6749 section 3.2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.clients.authentication import ClientAuthenticator
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.rates import ClientRate
from ostiary.authserver.requests.grant_request import Grant, GrantRequest
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.binding import binding
from ostiary.identity.possession import Possession
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    DEVICE_CODE,
    REFRESH_TOKEN,
)
from ostiary.oauth.server.errors import UnauthorizedClient, UnsupportedGrantType
from ostiary.telemetry.audit import Audit
from ostiary.transport.inline_http import Answer

_GOES_ON = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE})
"""What was authorized already: it does not fail because a client's document is out of reach."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`POST /oauth/token`. grants: by the names of `grant_type`."""

    grants: Mapping[str, Grant]
    authenticator: ClientAuthenticator
    limit: ClientRate
    possession: Possession
    audit: Audit
    clock: Callable[[], float]

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises OAuthError or StorageError."""
        now = self.clock()
        grant_type = form.parameters.require("grant_type")
        grant = self.grants.get(grant_type)
        if grant is None:
            raise UnsupportedGrantType(f"this server has no grant {grant_type[:100]!r}")
        client = await self.authenticator.authenticate(
            form, limit=self.limit, now=now, stale_ok=grant_type in _GOES_ON
        )
        try:
            if not client.may_use(grant_type):
                raise UnauthorizedClient(f"this client may not use the grant {grant_type}")
            request = GrantRequest(
                form.parameters, client, await binding(form, client, self.possession), form, now
            )
            response = await grant(request)
        except OAuthError as error:
            self.audit.write(
                AuditEvent.TOKEN_REFUSED,
                client=client.client_id,
                grant=grant_type,
                error=error.error,
                reason=error.detail or error.description,
                address=form.peer,
            )
            raise
        except (GeneratorExit, asyncio.CancelledError):
            self.audit.write(
                AuditEvent.TOKEN_UNANSWERED, client=client.client_id, grant=grant_type, address=form.peer
            )
            raise
        return self._answered(request, grant_type, response)

    def _answered(self, request: GrantRequest, grant_type: str, response: AccessTokenResponse) -> Answer:
        self.audit.write(
            AuditEvent.TOKEN_ISSUED,
            client=request.client.client_id,
            grant=grant_type,
            scopes=list(response.scopes),
            address=request.form.peer,
            **response.audit_fields,
        )
        return json_answer(response.answer())
