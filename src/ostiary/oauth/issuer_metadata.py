"""Where an issuer describes itself, and whether to believe it. RFC 8414 section 3, OIDC Discovery 4."""

from __future__ import annotations

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


def jwks_uri(document: Any, *, issuer: str) -> CanonicalUrl:
    """The address of the issuer's keys. Raises MetadataRefused.

    The document must name the very issuer (RFC 8414 section 3.3, compared as plain strings); otherwise
    one issuer could hand out keys for another.
    """
    if not isinstance(document, dict):
        raise MetadataRefused("the issuer's metadata is not a JSON object")
    if document.get("issuer") != issuer:
        raise MetadataRefused(
            f"the metadata is of issuer {document.get('issuer')!r}, not {issuer!r}, letter for letter"
        )
    if not isinstance(document.get("jwks_uri"), str):
        raise MetadataRefused("the issuer's metadata has no jwks_uri; set jwks_url")
    try:
        return canonical_url(document["jwks_uri"])
    except UrlRefused as refused:
        raise MetadataRefused(f"the issuer's jwks_uri is refused: {refused}") from None
