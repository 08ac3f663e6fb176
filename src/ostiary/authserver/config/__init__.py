"""The `authserver:` part of ostiary.yaml: one file a list or a group of settings.

settings           the whole part
idps               where people sign in: oidc, oauth2, mcp
presets            what is known of Google, GitHub and others
resources          what tokens are for, whose they are, and which accounts they need
internal           the listener for workloads
clients            who was registered by the operator
trusted_issuers    whose assertions are taken
certificate_names  a client's certificate, by the name that was registered   RFC 8705 2.1
"""

from ostiary.authserver.config.clients import ClientSettings
from ostiary.authserver.config.idps import IdpSettings, McpIdp, OAuth2Idp, OidcIdp
from ostiary.authserver.config.resources import IdpUse, ResourceSettings, Use
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.config.trusted_issuers import TrustedIssuer, TrustedUse

__all__ = [
    "AuthServerSettings",
    "ClientSettings",
    "IdpSettings",
    "IdpUse",
    "McpIdp",
    "OAuth2Idp",
    "OidcIdp",
    "ResourceSettings",
    "TrustedIssuer",
    "TrustedUse",
    "Use",
]
