"""Who may bring a trusted issuer's assertion: clients that prove who they are, and are let."""

from __future__ import annotations

from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidTarget, UnauthorizedClient


def require_client_allowed(client: Client, trusted: TrustedIssuer) -> None:
    """Raise UnauthorizedClient. Whoever steals an assertion has no client that could use it."""
    if client.is_public:
        raise UnauthorizedClient("a client that does not prove who it is may not bring an assertion")
    if trusted.clients is not None and client.client_id not in trusted.clients:
        raise UnauthorizedClient("this client may not bring assertions of that issuer")


def require_resource_allowed(trusted: TrustedIssuer, resource: CanonicalUrl) -> None:
    """Raise InvalidTarget when the operator keeps this issuer out of the resource."""
    if not trusted.may_open(resource):
        raise InvalidTarget(f"the issuer's assertions are not taken for {resource}")
