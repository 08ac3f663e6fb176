"""The grants of a server, by the names of `grant_type`: each with what it needs, and no more."""

from __future__ import annotations

from ostiary.authserver.assertions.id_jag import IdJagRedemption
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.grants.authorization_code import AuthorizationCode
from ostiary.authserver.grants.client_credentials import ClientCredentials
from ostiary.authserver.grants.device_code import DeviceCode
from ostiary.authserver.grants.jwt_bearer import JwtBearer
from ostiary.authserver.grants.refresh_token import RefreshToken
from ostiary.authserver.grants.token_exchange import TokenExchange
from ostiary.authserver.requests.grant_request import Grant
from ostiary.authserver.server.services import Services
from ostiary.authserver.tokens.session_tokens import SessionTokenIssuer
from ostiary.authserver.trusted_jwts.verification import TrustedIssuers
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
)

GRANT_TYPES = (
    AUTHORIZATION_CODE,
    REFRESH_TOKEN,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    TOKEN_EXCHANGE,
)
"""All that there are."""
_NEEDS = {JWT_BEARER: TrustedUse.ID_JAG, TOKEN_EXCHANGE: TrustedUse.SUBJECT_TOKEN}
"""What some issuer has to be trusted for."""


def grant_types(settings: AuthServerSettings) -> list[str]:
    """Those that this server has."""
    uses = {use for trusted in settings.trusted_issuers for use in trusted.use}
    return [name for name in GRANT_TYPES if name not in _NEEDS or _NEEDS[name] in uses]


def make_grants(services: Services) -> dict[str, Grant]:
    """The grants that this server has."""
    store, resources, life = services.store, services.resources, services.settings.tokens
    access_tokens = services.access_tokens
    tokens = SessionTokenIssuer(access_tokens)
    issuers = TrustedIssuers(services.settings.trusted_issuers, services.key_sets)
    id_jag = IdJagRedemption(services.issuer, store, resources, life, services.audit, access_tokens)
    every: dict[str, Grant] = {
        AUTHORIZATION_CODE: AuthorizationCode(
            store, resources, services.session_creator, services.session_ender, tokens
        ),
        REFRESH_TOKEN: RefreshToken(
            store,
            resources,
            life,
            services.common_scopes,
            services.revalidator,
            services.session_ender,
            tokens,
            services.audit,
        ),
        CLIENT_CREDENTIALS: ClientCredentials(resources, access_tokens),
        DEVICE_CODE: DeviceCode(store, resources, services.session_creator, tokens),
        JWT_BEARER: JwtBearer(issuers, access_tokens, {TrustedUse.ID_JAG: id_jag}),
        TOKEN_EXCHANGE: TokenExchange(services.issuer, issuers, store, resources, access_tokens),
    }
    return {name: every[name] for name in grant_types(services.settings)}
