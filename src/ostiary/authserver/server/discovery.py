"""What the server says of itself. RFC 8414, OpenID Connect Discovery."""

from __future__ import annotations

from typing import Any

from ostiary.authserver.config.settings import AuthServerSettings, MtlsSettings
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.server.grants import grant_types
from ostiary.identity.jwt_verifier import ALGORITHMS as ASSERTION_ALGORITHMS
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS as DPOP_ALGORITHMS
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.oauth.server.server_metadata import ServerFeatures, server_metadata

USERINFO_PATH = "/oauth/userinfo"
PATHS = {
    "authorization_endpoint": "/oauth/authorize",
    "token_endpoint": "/oauth/token",
    "pushed_authorization_request_endpoint": "/oauth/par",
    "revocation_endpoint": "/oauth/revoke",
    "introspection_endpoint": "/oauth/introspect",
    "device_authorization_endpoint": "/oauth/device_authorization",
    "userinfo_endpoint": USERINFO_PATH,
    "jwks_uri": "/.well-known/jwks.json",
}
"""The endpoints that there are always, by their names in the metadata."""
REGISTRATION_PATH = "/oauth/register"
"""Where clients register themselves, when they may."""
MTLS_ENDPOINTS = (
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
)
"""Those at which clients authenticate, with a certificate at another address (RFC 8705 section 5)."""


def discovery_document(settings: AuthServerSettings) -> dict[str, Any]:
    """The document, for both well-known names. Who asks for all the scopes in it gets them."""
    every = [*(scope for resource in settings.resources for scope in resource.scopes), *settings.scopes]
    scopes = settings.scopes_for_strangers if settings.registration.lets_strangers_in else every
    paths = PATHS | ({"registration_endpoint": REGISTRATION_PATH} if settings.registration.dynamic else {})
    return server_metadata(
        issuer=settings.issuer,
        endpoints={name: endpoint(settings.issuer, path) for name, path in paths.items()},
        features=ServerFeatures(
            scopes=list(dict.fromkeys(scopes)),
            grant_types=grant_types(settings),
            auth_methods=_auth_methods(settings),
            assertion_algorithms=sorted(ASSERTION_ALGORITHMS),
            dpop_algorithms=DPOP_ALGORITHMS,
            mtls_endpoints={} if settings.mtls is None else mtls_endpoints(settings.mtls),
            id_token_algorithms=[settings.signing.algorithm],
            id_jag=any(TrustedUse.ID_JAG in trusted.use for trusted in settings.trusted_issuers),
            client_documents=settings.registration.client_id_metadata_documents,
        ),
    )


def mtls_endpoints(settings: MtlsSettings) -> dict[str, str]:
    """The endpoints there, by their names in the metadata."""
    return {name: endpoint(settings.origin, PATHS[name]) for name in MTLS_ENDPOINTS if name in PATHS}


def _auth_methods(settings: AuthServerSettings) -> list[str]:
    certificate = [] if settings.mtls is None else ["tls_client_auth"]
    return ["client_secret_basic", "client_secret_post", "private_key_jwt", *certificate, "none"]
