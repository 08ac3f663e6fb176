"""What the parts of one file have to agree on, and cannot know of each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from ostiary.credentials.credential import upstream_tokens
from ostiary.identity.inbound_settings import OidcInbound
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.settings import refuse

if TYPE_CHECKING:
    from ostiary.authserver.config import AuthServerSettings
    from ostiary.authserver.config.internal import InternalSettings
    from ostiary.credentials.upstream_token.credential import UpstreamToken
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


def with_upstream_token_urls(
    gateway: GatewaySettings, authserver: AuthServerSettings | None
) -> GatewaySettings:
    """The gateway, whose upstream tokens are asked for at this authserver unless they say where.

    Raises Faults for those that would be asked for nowhere, or as nobody, or that nobody would get.
    """
    refuse(
        (("gateway", "servers", name, "credential"), fault)
        for name, server in gateway.servers.items()
        for token in upstream_tokens(server.credential)
        for fault in _faults_of(token, gateway, authserver)
    )
    internal = None if authserver is None else authserver.internal
    if internal is None:
        return gateway
    url = _exchange_url(internal)
    servers = {
        name: server.with_upstream_tokens(lambda token: token.asked_at(url))
        for name, server in gateway.servers.items()
    }
    return gateway.model_copy(update={"servers": servers})


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


def _faults_of(
    token: UpstreamToken, gateway: GatewaySettings, authserver: AuthServerSettings | None
) -> Iterator[str]:
    if token.certificates is None:
        yield (
            "nobody knows us where upstream tokens are asked for: name our certificate under "
            "gateway.certificates, such as {source: internal_ca, directory: pki}"
        )
    if token.token_url is not None:
        return
    if authserver is None or authserver.internal is None:
        yield (
            "upstream tokens are asked for nowhere: set token_url to the authorization server's port for "
            "workloads, such as https://auth.internal:9443, or configure authserver.internal in this file"
        )
    elif token.subject == "inbound":
        yield from _never_given(token, gateway, authserver)


def _never_given(
    token: UpstreamToken, gateway: GatewaySettings, authserver: AuthServerSettings
) -> Iterator[str]:
    covering = [one for one in authserver.resources if one.pattern.covers(_federated(gateway))]
    if not covering:
        return  # then nobody gets a token for the gateway at all, which is told elsewhere
    entry = max(covering, key=lambda one: len(str(one.pattern)))
    allowed = entry.servers.get(token.server or "")
    if allowed is None:
        yield (
            f"no upstream token would be given: resource {entry.resource} has no {token.server} in servers; "
            f"write there servers: {{{token.server}: [{token.provider or 'IDP'}]}}"
        )
    elif token.provider is not None and token.provider not in allowed:
        yield (
            f"no upstream token would be given: resource {entry.resource} lets server {token.server} have "
            f"those of {' and '.join(allowed) or 'no provider'}, and not of {token.provider}"
        )
    elif token.provider is None and len(allowed) != 1:
        yield (
            f"resource {entry.resource} lets server {token.server} have the tokens of "
            f"{' and '.join(allowed) or 'no provider'}: set provider to the one that is wanted"
        )


def _exchange_url(internal: InternalSettings) -> CanonicalUrl:
    """As this machine reaches its own listener, unless the settings say how others do."""
    from ostiary.credentials.upstream_token.settings import EXCHANGE_PATH  # noqa: PLC0415 - few files need it

    if internal.url is None and _address(internal.listen.host).is_unspecified:
        host = "[::1]" if ":" in internal.listen.host else "127.0.0.1"
        return CanonicalUrl("https", host, internal.listen.port, EXCHANGE_PATH)
    return canonical_url(internal.origin + EXCHANGE_PATH)


def _federated(gateway: GatewaySettings) -> CanonicalUrl:
    return canonical_url(f"{gateway.public_url}{FEDERATED}")


def _meet(one: Listen, other: Listen) -> bool:
    hosts = {_address(one.host), _address(other.host)}
    return len(hosts) == 1 or any(host.is_unspecified for host in hosts)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
