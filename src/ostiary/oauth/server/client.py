"""An OAuth client as an authorization server knows it: one model, however it became known.

registered   by the operator                               RFC 7591 names, in ostiary.yaml or by command
dynamic      by itself, at the registration endpoint       RFC 7591
document     by the document that its client_id leads to   Client ID Metadata Documents
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ostiary.oauth.client.client_authentication import AuthMethod

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant's name
CLIENT_CREDENTIALS = "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105


class ClientKind(StrEnum):
    """How a client became known."""

    PREREGISTERED = "registered"
    DYNAMIC = "dynamic"
    DOCUMENT = "document"


class ApplicationType(StrEnum):
    """What a client is (OpenID Connect Registration 2): it decides which redirect URIs it may have."""

    WEB = "web"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. Nothing in it is true only because a client says so, unless the operator registered it."""

    client_id: str
    kind: ClientKind
    redirect_uris: tuple[str, ...] = ()
    """As registered; compared letter for letter, but for a loopback port (RFC 8252 section 7.3)."""
    grant_types: frozenset[str] = frozenset({AUTHORIZATION_CODE})
    scopes: frozenset[str] | None = None
    """What it may have at most; None for whatever a resource has. What a stranger named is no bound, and only
    narrows what it gets when it asks for nothing."""
    auth_method: AuthMethod = "none"
    secret_digest: bytes | None = field(default=None, repr=False)
    """SHA-256 of the secret. Ours have 256 random bits; an operator's should, and are read at each use."""
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    jwks_uri: str | None = None
    certificate_subject: str | None = None
    """The RFC 4514 name that its certificate must have (`tls_client_auth_subject_dn`)."""
    certificate_san: tuple[str, str] | None = None
    """("dns" | "uri" | "ip" | "email", value) that its certificate must have instead (RFC 8705 2.1.2)."""
    application_type: ApplicationType = ApplicationType.WEB
    name: str | None = None
    client_uri: str | None = None
    dpop_bound: bool = False
    """Whether all its access tokens are bound (`dpop_bound_access_tokens`)."""
    certificate_bound: bool = False
    """The same for certificates (`tls_client_certificate_bound_access_tokens`)."""
    require_pushed_requests: bool = False
    workload_subjects: tuple[tuple[str, str], ...] = ()
    """(issuer, subject pattern) of the workloads that may speak as this client."""
    allowed_resources: frozenset[str] | None = None
    """Canonical resources that it may ask for; None for all."""

    @property
    def is_public(self) -> bool:
        """Whether it cannot keep a secret."""
        return self.auth_method == "none"

    @property
    def is_preregistered(self) -> bool:
        """Whether the operator vouches for its name and its redirect URIs."""
        return self.kind is ClientKind.PREREGISTERED

    def may_use(self, grant_type: str) -> bool:
        """Whether it was registered for this grant."""
        return grant_type in self.grant_types
