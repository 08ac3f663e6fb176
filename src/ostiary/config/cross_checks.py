"""What the parts of one file have to agree on, and cannot know of each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ostiary.identity.inbound import OidcInbound
from ostiary.oauth.canonical_url import UrlRefused, canonical_url

if TYPE_CHECKING:
    from ostiary.authserver.config import AuthServerSettings
    from ostiary.gateway.config import GatewaySettings
    from ostiary.settings import Listen


class Listens(Protocol):
    """A part of the file that has listeners."""

    @property
    def listens(self) -> Mapping[str, Listen]: ...


FEDERATED = "/mcp"
"""Where the gateway is one server; what its own tokens are for, unless `audience` says otherwise."""


def refuse_tokens_that_nobody_gets(gateway: GatewaySettings, authserver: AuthServerSettings) -> None:
    """Raise ValueError when the gateway wants tokens of this authserver that it would never issue."""
    for entry in gateway.inbound:
        if isinstance(entry, OidcInbound) and entry.issuer == authserver.issuer:
            _require_resource(entry, f"{gateway.public_url}{FEDERATED}", authserver)


def refuse_shared_address(*parts: Listens | None) -> None:
    """Raise ValueError when two listeners want the same port of the same address."""
    named = [item for part in parts if part is not None for item in part.listens.items()]
    for index, (name, one) in enumerate(named):
        for earlier, other in named[:index]:
            if one.port == other.port != 0 and _meet(one, other):
                raise ValueError(f"{name} and {earlier} both want {one}: give one another port")


def _require_resource(entry: OidcInbound, federated: str, authserver: AuthServerSettings) -> None:
    audience = entry.audience or federated
    try:
        resource = canonical_url(audience)
    except UrlRefused:
        covering = []
    else:
        covering = [one for one in authserver.resources if one.pattern.covers(resource)]
    if not covering:
        raise ValueError(
            f"the gateway takes tokens of {entry.issuer} for {audience}, which no entry of resources "
            "covers: add one, or nobody gets such a token"
        )
    best = max(covering, key=lambda one: len(str(one.pattern)))
    missing = [scope for scope in entry.required_scopes if scope not in best.scopes]
    if missing:
        raise ValueError(
            f"the gateway requires the scope {missing[0]}, and resource {best.resource} has "
            f"{', '.join(best.scopes) or 'none'}: nobody could call"
        )


def _meet(one: Listen, other: Listen) -> bool:
    hosts = {_address(one.host), _address(other.host)}
    return len(hosts) == 1 or any(host.is_unspecified for host in hosts)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
