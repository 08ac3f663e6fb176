"""The identity providers of a configuration."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.authserver.config.idps import IdpSettings, McpIdp, OAuth2Idp, OidcIdp
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.idps.idp import UpstreamIdp
from ostiary.authserver.idps.oauth2 import OAuth2Provider
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.tools import Tools
from ostiary.identity.key_sets import KeySets
from ostiary.storage.store import Store
from ostiary.transport.fetch import Fetcher


def make_idps(
    settings: AuthServerSettings, *, store: Store, fetcher: Fetcher, clock: Callable[[], float]
) -> dict[str, UpstreamIdp]:
    """Each by its name. Nothing is asked of any of them yet. clock: seconds since the epoch."""
    tools = Tools(fetcher, KeySets(fetcher, clock), clock)
    return {entry.name: _made(entry, tools) for entry in settings.upstream_idps}


def _made(entry: IdpSettings, tools: Tools) -> UpstreamIdp:
    match entry:
        case OidcIdp():
            return OidcProvider(entry, tools)
        case OAuth2Idp():
            return OAuth2Provider(entry, tools)
        case McpIdp():
            raise NotImplementedError(entry.type)
