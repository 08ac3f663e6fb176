"""Who we are, at a URL of our own: for authorization servers that take such clients.

draft-ietf-oauth-client-id-metadata-document. Only an https issuer can publish one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ostiary.authserver.config.idps import McpIdp
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.oauth.server.endpoint_url import endpoint, endpoint_path


def client_document_url(issuer: str, idp: str) -> str | None:
    """Our client_id for one entry; None for an issuer that can't publish it."""
    return endpoint(issuer, _path(idp)) if issuer.startswith("https://") else None


def client_documents(settings: AuthServerSettings) -> dict[str, bytes]:
    """What we publish: path → document, for each MCP server at which we are no given client."""
    return {
        endpoint_path(settings.issuer, _path(entry.name)): msgspec.json.encode(
            _document(settings.issuer, entry)
        )
        for entry in settings.upstream_idps
        if isinstance(entry, McpIdp) and entry.client_id is None and settings.issuer.startswith("https://")
    }


def _document(issuer: str, entry: McpIdp) -> dict[str, Any]:
    return {
        "client_id": client_document_url(issuer, entry.name),
        "client_name": "Ostiary",
        "client_uri": issuer,
        "redirect_uris": [endpoint(issuer, f"/oauth/callback/{entry.name}")],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }


def _path(idp: str) -> str:
    return f"/oauth/client/{idp}.json"
