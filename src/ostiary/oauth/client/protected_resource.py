"""What a protected resource says of itself, as its clients find and read it. RFC 9728 section 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.client.server_metadata import MetadataRefused

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What a server says of itself, as we use it."""

    resource: str
    """Its identifier, letter for letter: the `resource` of token requests (RFC 8707)."""
    authorization_servers: tuple[str, ...] = ()
    """Issuers, letter for letter."""
    scopes: tuple[str, ...] = ()
    """The scopes it knows of."""
    wants_dpop: bool = False
    """Whether it takes bound tokens only (RFC 9449)."""


def metadata_path(resource: CanonicalUrl) -> str:
    """The path of a resource's metadata: the well-known name goes before the resource's own path."""
    return WELL_KNOWN + resource.path


def challenged_url(named: str, *, server: CanonicalUrl) -> CanonicalUrl:
    """Where a challenge's `resource_metadata` leads (RFC 9728 section 5.1). Raises MetadataRefused.

    It has to be a URL; what has only a path is taken for one of the server's own.
    """
    own = named.startswith("/") and not named.startswith("//")
    try:
        return canonical_url(server.origin + named if own else named)
    except UrlRefused as refused:
        raise MetadataRefused(
            f"its challenge's resource_metadata {named!r:.200} is refused: {refused}"
        ) from None


def well_known_urls(server: CanonicalUrl) -> list[CanonicalUrl]:
    """Where a server's metadata may be besides, in the order of the MCP authorization specification."""
    own = CanonicalUrl(server.scheme, server.host, server.port, metadata_path(server), server.query)
    root = CanonicalUrl(server.scheme, server.host, server.port, WELL_KNOWN)
    return [own] if own == root else [own, root]


def read_protected_resource(document: Any, *, server: CanonicalUrl) -> ProtectedResource:
    """Raises MetadataRefused, also when the document is another server's (RFC 9728 section 3.3).

    A document may describe the server itself, or what the server is a part of by its path.
    """
    if not isinstance(document, dict):
        raise MetadataRefused("the server's metadata is not a JSON object")
    resource = document.get("resource")
    if not isinstance(resource, str) or not _covers(resource, server):
        raise MetadataRefused(f"the metadata is of resource {resource!r:.200}, not of {server}")
    return ProtectedResource(
        resource,
        _texts(document.get("authorization_servers")),
        _texts(document.get("scopes_supported")),
        document.get("dpop_bound_access_tokens_required") is True,
    )


def _covers(resource: str, server: CanonicalUrl) -> bool:
    try:
        url = canonical_url(resource)
    except UrlRefused:
        return False
    path = url.path.rstrip("/")
    within = server.path.rstrip("/") == path or server.path.startswith(f"{path}/")
    return url.origin == server.origin and within and url.query in {None, server.query}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
