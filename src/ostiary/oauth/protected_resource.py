"""What a protected resource says of itself, and where. RFC 9728 sections 2 and 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.oauth.canonical_url import CanonicalUrl

WELL_KNOWN = "/.well-known/oauth-protected-resource"


def metadata_path(resource: CanonicalUrl) -> str:
    """The path of a resource's metadata: the well-known name goes before the resource's own path."""
    return WELL_KNOWN + resource.path


def metadata_url(resource: CanonicalUrl) -> str:
    """Where a resource's metadata is, query included (RFC 9728 section 3.1)."""
    query = "" if resource.query is None else f"?{resource.query}"
    return resource.origin + metadata_path(resource) + query


def protected_resource(
    resource: CanonicalUrl,
    *,
    authorization_servers: Sequence[str],
    scopes: Sequence[str] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """The metadata document. Issuers stand in it letter for letter as they name themselves."""
    document: dict[str, Any] = {"resource": str(resource), "bearer_methods_supported": ["header"]}
    if authorization_servers:
        document["authorization_servers"] = list(authorization_servers)
    if scopes:
        document["scopes_supported"] = list(scopes)
    if name:
        document["resource_name"] = name
    return document
