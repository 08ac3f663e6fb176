"""Where an issuer's endpoints are. RFC 8414 section 3.1, OpenID Connect Discovery section 4."""

from __future__ import annotations

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.server_metadata import metadata_urls


def endpoint(issuer: str, path: str) -> str:
    """The address of an endpoint: below the issuer, whose own path is kept."""
    return issuer.rstrip("/") + path


def endpoint_path(issuer: str, path: str) -> str:
    """The path at which a request for it arrives."""
    return canonical_url(endpoint(issuer, path)).path


def well_known_paths(issuer: str) -> dict[str, str]:
    """Where clients look for the metadata: each path, and the well-known name it is asked by.

    RFC 8414 puts the name before the issuer's path, OpenID Connect after it; clients of MCP try all.
    """
    name = "oauth-authorization-server"
    return {
        url.path: name if name in url.path.split("/") else "openid-configuration"
        for url in metadata_urls(issuer)
    }
