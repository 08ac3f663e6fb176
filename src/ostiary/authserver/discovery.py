"""What the server says of itself. RFC 8414, OpenID Connect Discovery."""

from __future__ import annotations

from typing import Any

from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.token_endpoint import grants_of
from ostiary.oauth.endpoint_url import endpoint
from ostiary.oauth.server_metadata import ServerFeatures, server_metadata

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


def discovery_document(settings: AuthServerSettings) -> dict[str, Any]:
    """The document, for both well-known names."""
    scopes = dict.fromkeys(
        [*(scope for resource in settings.resources for scope in resource.scopes), *settings.scopes]
    )
    paths = PATHS | ({"registration_endpoint": REGISTRATION_PATH} if settings.registration.dynamic else {})
    return server_metadata(
        issuer=settings.issuer,
        endpoints={name: endpoint(settings.issuer, path) for name, path in paths.items()},
        features=ServerFeatures(
            scopes=list(scopes),
            grant_types=list(grants_of(settings)),
            auth_methods=["client_secret_basic", "client_secret_post", "none"],
            id_token_algorithms=[settings.signing.algorithm],
            id_jag=any(TrustedUse.ID_JAG in trusted.use for trusted in settings.trusted_issuers),
            client_documents=settings.registration.client_id_metadata_documents,
        ),
    )
