"""What an authorization server says of itself. RFC 8414 section 2, OpenID Connect Discovery section 3.

One document for both, so that whoever finds either reads the same. Only what is on is said: a client tries
whatever it reads here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostiary.oauth.client.pkce import S256
from ostiary.oauth.issuer_identification import ADVERTISED
from ostiary.oauth.server.authorization_request import PROMPTS
from ostiary.oauth.server.client import JWT_BEARER

ID_JAG_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag"
"""draft-ietf-oauth-identity-assertion-authz-grant, MCP's enterprise-managed authorization."""

_WITH_CLIENT_AUTHENTICATION = ("token", "revocation", "introspection")


@dataclass(frozen=True, slots=True)
class ServerFeatures:
    """What a server offers, as far as its clients should know."""

    scopes: Sequence[str]
    grant_types: Sequence[str]
    auth_methods: Sequence[str]
    """How clients authenticate at the token, revocation and introspection endpoints."""
    id_token_algorithms: Sequence[str] = ("ES256",)
    assertion_algorithms: Sequence[str] = ("ES256", "RS256", "PS256", "EdDSA")
    """How clients may sign their assertions."""
    dpop_algorithms: Sequence[str] = ("ES256",)
    claims: Sequence[str] = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce")
    mtls_endpoints: Mapping[str, str] = field(default_factory=dict)
    """The endpoints' twins that ask for a certificate (RFC 8705 section 5); empty for none."""
    client_documents: bool = True
    """Whether a client's id may be the URL of its own description."""
    requires_pushed_requests: bool = False
    id_jag: bool = False
    """Whether a company's IdP may vouch for its users (ID-JAG)."""


def server_metadata(*, issuer: str, endpoints: Mapping[str, str], features: ServerFeatures) -> dict[str, Any]:
    """The document.

    endpoints: by the names of the metadata (`token_endpoint`, `jwks_uri`, ...), those that there are.
    """
    document: dict[str, Any] = {
        "issuer": issuer,
        **endpoints,
        "scopes_supported": list(features.scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(features.grant_types),
        "code_challenge_methods_supported": [S256],
        ADVERTISED: True,
        "client_id_metadata_document_supported": features.client_documents,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(features.id_token_algorithms),
        "claims_supported": list(features.claims),
        "prompt_values_supported": sorted(PROMPTS),
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "dpop_signing_alg_values_supported": list(features.dpop_algorithms),
    }
    return document | _authentication(endpoints, features) | _optional(features)


def _authentication(endpoints: Mapping[str, str], features: ServerFeatures) -> dict[str, Any]:
    """RFC 8414: each endpoint's methods, and the algorithms where one of them is a signed statement.

    Only who proves who they are may ask about tokens (RFC 7662 section 2.1).
    """
    said: dict[str, Any] = {}
    for name in _WITH_CLIENT_AUTHENTICATION:
        if f"{name}_endpoint" in endpoints:
            none = {"none"} if name == "introspection" else set()
            said[f"{name}_endpoint_auth_methods_supported"] = [
                method for method in features.auth_methods if method not in none
            ]
            if "private_key_jwt" in features.auth_methods:
                said[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(
                    features.assertion_algorithms
                )
    return said


def _optional(features: ServerFeatures) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if features.requires_pushed_requests:
        said["require_pushed_authorization_requests"] = True
    if features.mtls_endpoints:
        said["mtls_endpoint_aliases"] = dict(features.mtls_endpoints)
        said["tls_client_certificate_bound_access_tokens"] = True
    if features.id_jag and JWT_BEARER in features.grant_types:
        said["authorization_grant_profiles_supported"] = [ID_JAG_PROFILE]
    return said
