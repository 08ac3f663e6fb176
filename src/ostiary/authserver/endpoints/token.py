"""The token endpoint: authenticate the client, choose the grant, answer. RFC 6749 section 3.2."""

from __future__ import annotations

from collections.abc import Mapping

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.grants.authorization_code import authorization_code
from ostiary.authserver.grants.client_credentials import client_credentials
from ostiary.authserver.grants.device_code import device_code
from ostiary.authserver.grants.jwt_bearer import jwt_bearer
from ostiary.authserver.grants.refresh_token import refresh_token
from ostiary.authserver.grants.token_exchange import token_exchange
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.requests.grant_request import Grant, GrantRequest
from ostiary.authserver.services import Services
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.binding import binding
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
)
from ostiary.oauth.server.errors import UnauthorizedClient, UnsupportedGrantType
from ostiary.transport.direct import Answer

GRANTS: Mapping[str, Grant] = {
    AUTHORIZATION_CODE: authorization_code,
    REFRESH_TOKEN: refresh_token,
    CLIENT_CREDENTIALS: client_credentials,
    DEVICE_CODE: device_code,
    JWT_BEARER: jwt_bearer,
    TOKEN_EXCHANGE: token_exchange,
}
_NEEDS = {JWT_BEARER: TrustedUse.ID_JAG, TOKEN_EXCHANGE: TrustedUse.SUBJECT_TOKEN}
"""What some issuer has to be trusted for."""
_GOES_ON = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE})
"""What was authorized already: it does not fail because a client's document is out of reach."""


def grants_of(settings: AuthServerSettings) -> dict[str, Grant]:
    """The grants that this server has."""
    uses = {use for trusted in settings.trusted_issuers for use in trusted.use}
    return {name: grant for name, grant in GRANTS.items() if name not in _NEEDS or _NEEDS[name] in uses}


class TokenEndpoint:
    """`POST /oauth/token`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._grants = grants_of(services.settings)

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises OAuthError or StorageError."""
        services = self._services
        now = services.clock()
        grant_type = form.parameters.require("grant_type")
        grant = self._grants.get(grant_type)
        if grant is None:
            raise UnsupportedGrantType(f"this server has no grant {grant_type[:100]!r}")
        client = await services.authenticator.authenticate(
            form, limit=services.rates.token, now=now, stale_ok=grant_type in _GOES_ON
        )
        try:
            if not client.may_use(grant_type):
                raise UnauthorizedClient(f"this client may not use the grant {grant_type}")
            request = GrantRequest(form.parameters, client, await binding(form, client, services), form, now)
            response = await grant(request, services)
        except OAuthError as error:
            services.audit.write(
                AuditEvent.TOKEN_REFUSED,
                client=client.client_id,
                grant=grant_type,
                error=error.error,
                reason=error.detail or error.description,
                address=form.peer,
            )
            raise
        return self._answered(request, grant_type, response)

    def _answered(self, request: GrantRequest, grant_type: str, response: AccessTokenResponse) -> Answer:
        self._services.audit.write(
            AuditEvent.TOKEN_ISSUED,
            client=request.client.client_id,
            grant=grant_type,
            scopes=list(response.scopes),
            address=request.form.peer,
            **response.audit_fields,
        )
        return json_answer(response.answer())
