"""Where an issuer describes itself, and whether to believe it. RFC 8414 section 3, OIDC Discovery 4.

Issuers are compared letter for letter, but for one slash: `https://a.example` and `https://a.example/` are
one where a resource's metadata names it, for libraries in wide use write one there and the other here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.client.pkce import S256

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


class MetadataRefused(ValueError):
    """A document that does not describe the issuer it was asked of."""


class AnotherIssuer(MetadataRefused):
    """It describes another one. problem: without the way out; fix: the line to write; None without one."""

    def __init__(self, named: object, *, asked: str) -> None:
        self.problem = f"the metadata is of issuer {named!r:.200}, not {asked!r:.200}, letter for letter"
        self.fix = f"if that is the one, write `issuer: {named}`" if _is_an_issuer(named) else None
        super().__init__("; ".join(filter(None, (self.problem, self.fix))))


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


def read_issuer_metadata(document: Any, *, issuer: str, named_by_resource: bool = False) -> dict[str, Any]:
    """The document, if it is the issuer's own. Raises MetadataRefused.

    It must name the very issuer (RFC 8414 section 3.3, compared as plain strings); otherwise one issuer
    could hand out keys, or take requests, for another. named_by_resource: whether the name was read in a
    resource's metadata; then what counts from here on is the name that the issuer gives itself. A member that
    is null is absent.
    """
    if not isinstance(document, dict):
        raise MetadataRefused("the issuer's metadata is not a JSON object")
    named = document.get("issuer")
    if named != issuer and not (named_by_resource and isinstance(named, str) and same_issuer(named, issuer)):
        raise AnotherIssuer(named, asked=issuer)
    if None not in document.values():
        return document
    return {name: value for name, value in document.items() if value is not None}


def same_issuer(one: str, other: str) -> bool:
    """Whether two names, one of them out of a resource's metadata, are of one issuer."""
    return _without_root_slash(one) == _without_root_slash(other)


def default_metadata(origin: str) -> dict[str, Any]:
    """What holds for an MCP server of 2025-03-26 that has no metadata at all (its authorization, 2.3.3).

    It has to keep OAuth 2.1, and so checks S256 challenges.
    """
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "registration_endpoint": f"{origin}/register",
        "code_challenge_methods_supported": [S256],
    }


def jwks_uri(document: Any, *, issuer: str) -> CanonicalUrl:
    """The address of the issuer's keys. Raises MetadataRefused."""
    return _address(read_issuer_metadata(document, issuer=issuer), "jwks_uri", advice="; set jwks_url")


def introspection_endpoint(document: Any, *, issuer: str) -> CanonicalUrl:
    """Where the issuer is asked about tokens (RFC 7662, RFC 8414). Raises MetadataRefused."""
    metadata = read_issuer_metadata(document, issuer=issuer)
    return _address(metadata, "introspection_endpoint", advice="; set introspection_url")


def token_endpoint(metadata: Mapping[str, Any], *, mutual_tls: bool = False) -> CanonicalUrl:
    """Where to ask for tokens: with a certificate, at its alias if there is one (RFC 8705 section 5)."""
    aliases = metadata.get("mtls_endpoint_aliases")
    if mutual_tls and isinstance(aliases, dict) and aliases.get("token_endpoint") is not None:
        return _address(aliases, "token_endpoint")
    return _address(metadata, "token_endpoint")


def _without_root_slash(issuer: str) -> str:
    return issuer[:-1] if issuer.endswith("/") and issuer.count("/") == 3 else issuer


def _is_an_issuer(named: object) -> bool:
    """Whether it can be shown, to be written down: nothing in it steers a terminal, or ends a line."""
    if not isinstance(named, str) or len(named) > 200:
        return False
    try:
        canonical_url(named)
    except UrlRefused:
        return False
    return True


def _address(document: Mapping[str, Any], name: str, *, advice: str = "") -> CanonicalUrl:
    if not isinstance(document.get(name), str):
        raise MetadataRefused(f"the issuer's metadata has no {name}{advice}")
    try:
        return canonical_url(document[name])
    except UrlRefused as refused:
        raise MetadataRefused(f"the issuer's {name} is refused: {refused}") from None
