"""Where an issuer describes itself, and whether to believe it. RFC 8414 section 3, OIDC Discovery 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


class MetadataRefused(ValueError):
    """A document that does not describe the issuer it was asked of."""


def metadata_urls(issuer: str) -> list[CanonicalUrl]:
    """Where to look, in the order of the MCP authorization specification.

    RFC 8414 puts the well-known name before the issuer's path, OpenID Connect after it.
    """
    url = canonical_url(issuer)
    path = url.path.rstrip("/")
    paths = [OAUTH + path, OPENID + path]
    if path:
        paths.append(path + OPENID)
    return [CanonicalUrl(url.scheme, url.host, url.port, at) for at in paths]


def read_issuer_metadata(document: Any, *, issuer: str) -> dict[str, Any]:
    """The document, if it is the issuer's own. Raises MetadataRefused.

    It must name the very issuer (RFC 8414 section 3.3, compared as plain strings); otherwise one issuer
    could hand out keys, or take requests, for another.
    """
    if not isinstance(document, dict):
        raise MetadataRefused("the issuer's metadata is not a JSON object")
    if document.get("issuer") != issuer:
        raise MetadataRefused(
            f"the metadata is of issuer {document.get('issuer')!r}, not {issuer!r}, letter for letter"
        )
    return document


def jwks_uri(document: Any, *, issuer: str) -> CanonicalUrl:
    """The address of the issuer's keys. Raises MetadataRefused."""
    return _address(read_issuer_metadata(document, issuer=issuer), "jwks_uri", advice="; set jwks_url")


def token_endpoint(metadata: Mapping[str, Any], *, mutual_tls: bool = False) -> CanonicalUrl:
    """Where to ask for tokens: with a certificate, at its alias if there is one (RFC 8705 section 5)."""
    aliases = metadata.get("mtls_endpoint_aliases")
    if mutual_tls and isinstance(aliases, dict) and "token_endpoint" in aliases:
        return _address(aliases, "token_endpoint")
    return _address(metadata, "token_endpoint")


def _address(document: Mapping[str, Any], name: str, *, advice: str = "") -> CanonicalUrl:
    if not isinstance(document.get(name), str):
        raise MetadataRefused(f"the issuer's metadata has no {name}{advice}")
    try:
        return canonical_url(document[name])
    except UrlRefused as refused:
        raise MetadataRefused(f"the issuer's {name} is refused: {refused}") from None
