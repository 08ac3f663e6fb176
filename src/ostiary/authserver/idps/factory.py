"""The identity providers of a configuration."""

from __future__ import annotations

from ostiary.authserver.config.idps import IdpSettings, McpIdp, OAuth2Idp, OidcIdp
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.idps.idp import UpstreamIdp
from ostiary.authserver.idps.mcp import McpProvider
from ostiary.authserver.idps.oauth2 import OAuth2Provider
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.own_client_document import client_document_url
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.idps.tools import Tools
from ostiary.storage.store import Store


def make_idps(settings: AuthServerSettings, store: Store, tools: Tools) -> dict[str, UpstreamIdp]:
    """Each by its name. Nothing is asked of any of them yet."""
    return {entry.name: _made(entry, settings, store, tools) for entry in settings.upstream_idps}


def _made(entry: IdpSettings, settings: AuthServerSettings, store: Store, tools: Tools) -> UpstreamIdp:
    match entry:
        case OidcIdp():
            return OidcProvider(entry, tools)
        case OAuth2Idp():
            return OAuth2Provider(entry, tools)
        case McpIdp():
            document = client_document_url(settings.issuer, entry.name)
            return McpProvider(entry, tools, Registrations(store), document=document)
