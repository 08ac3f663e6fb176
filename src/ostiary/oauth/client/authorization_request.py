"""Ask for a code. RFC 6749 section 4.1.1, RFC 7636 section 4.3, RFC 8707 section 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.client.pkce import S256
from ostiary.oauth.client.server_metadata import MetadataRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

RESERVED_PARAMETERS = frozenset(
    {
        "client_id",
        "client_secret",
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "login_hint",
        "max_age",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "resource",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""What we say ourselves: a setting that could replace one of these would undo what it protects."""
OFFLINE_ACCESS = "offline_access"
"""The scope that refresh tokens are tied to at some servers (OpenID Connect Core section 11)."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the person's browser carries to the authorization server."""

    client_id: str
    redirect_uri: str
    state: str
    code_challenge: str
    resource: str | None
    """As the resource itself writes it (RFC 9728 section 2); None where it is not to be said."""
    scopes: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    """What the configuration adds; what we say ourselves goes first."""

    def url(self, endpoint: CanonicalUrl) -> str:
        """Where to send the browser. A query that the endpoint has already is kept (RFC 6749 section 3.1)."""
        parameters = {
            **self.extra,
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": self.code_challenge,
            "code_challenge_method": S256,
        }
        if self.resource is not None:
            parameters["resource"] = self.resource
        if self.scopes:
            parameters["scope"] = " ".join(self.scopes)
        return f"{endpoint}{'&' if endpoint.query else '?'}{urlencode(parameters)}"


def refuse_reserved(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """The configured parameters, when all may be configured. Raises ValueError."""
    if taken := sorted(RESERVED_PARAMETERS.intersection(parameters)):
        raise ValueError(f"{', '.join(taken)} is set by Ostiary itself and cannot be configured here")
    return parameters


def authorization_endpoint(metadata: Mapping[str, Any], *, insecure_allow_http: bool = False) -> CanonicalUrl:
    """Where a person is asked. Raises MetadataRefused; plain http is for this machine alone."""
    named = metadata.get("authorization_endpoint")
    if not isinstance(named, str):
        raise MetadataRefused("the issuer's metadata has no authorization_endpoint: it signs nobody in")
    try:
        url = canonical_url(named)
    except UrlRefused as refused:
        raise MetadataRefused(f"the issuer's authorization_endpoint is refused: {refused}") from None
    if url.scheme != "https" and not url.is_loopback and not insecure_allow_http:
        raise MetadataRefused("the issuer's authorization_endpoint is plain http on another machine")
    return url


def scopes_to_ask(
    *,
    challenged: tuple[str, ...],
    supported: tuple[str, ...],
    granted: tuple[str, ...] = (),
    offered_by_issuer: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Which scopes to ask for, as MCP's authorization specification has it.

    challenged: what the server's challenge names; supported: the `scopes_supported` of its metadata, asked
    for whole when the challenge is silent; granted: what we have, kept when more is asked for; offline_access
    is added where the issuer offers it, for without it some give no refresh token.
    """
    wanted = (*granted, *(challenged or (() if granted else supported)))
    if wanted and OFFLINE_ACCESS in offered_by_issuer:
        wanted = (*wanted, OFFLINE_ACCESS)
    return tuple(dict.fromkeys(wanted))
