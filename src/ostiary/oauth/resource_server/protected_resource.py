"""What a protected resource says of itself, and where. RFC 9728 sections 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.protected_resource import metadata_path


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
    dpop_algorithms: Sequence[str] = (),
) -> dict[str, Any]:
    """The metadata document. Issuers stand in it letter for letter as they name themselves.

    dpop_algorithms: how proofs may be signed that bound tokens come with (RFC 9449); none for no such tokens.
    """
    document: dict[str, Any] = {"resource": str(resource), "bearer_methods_supported": ["header"]}
    if authorization_servers:
        document["authorization_servers"] = list(authorization_servers)
    if scopes:
        document["scopes_supported"] = list(scopes)
    if name:
        document["resource_name"] = name
    if dpop_algorithms:
        document["dpop_signing_alg_values_supported"] = list(dpop_algorithms)
    return document
