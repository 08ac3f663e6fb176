"""What a server offers, and what was used of it: so that nothing is offered that no example shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ostiary.authserver import AuthServerSettings
from ostiary.authserver.config.clients import SHORT_NAMES
from ostiary.oauth.server.client import ClientKind


@dataclass
class Shown:
    """Words, by what they are about."""

    grants: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    """By which clients proved who they are."""
    clients: set[str] = field(default_factory=set)
    """How they became known."""
    idps: set[str] = field(default_factory=set)
    """Types of identity providers."""
    bindings: set[str] = field(default_factory=set)
    """To what tokens were bound, by the names in `cnf`."""
    endpoints: set[str] = field(default_factory=set)

    def __or__(self, other: Shown) -> Shown:
        return Shown(*(getattr(self, one.name) | getattr(other, one.name) for one in fields(self)))

    def __sub__(self, other: Shown) -> Shown:
        return Shown(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(self)))


def shown(**words: str) -> Shown:
    """`shown(grants="authorization_code refresh_token")`."""
    return Shown(**{name: set(said.split()) for name, said in words.items()})


def offered(metadata: Mapping[str, Any], settings: AuthServerSettings) -> Shown:
    """What a client reads of a server, and the kinds of accounts that its people have."""
    kinds = {
        ClientKind.PREREGISTERED: True,
        ClientKind.DOCUMENT: metadata["client_id_metadata_document_supported"],
        ClientKind.DYNAMIC: "registration_endpoint" in metadata,
    }
    bindings = {
        "jkt": "dpop_signing_alg_values_supported" in metadata,
        "x5t#S256": metadata.get("tls_client_certificate_bound_access_tokens", False),
    }
    return Shown(
        grants={short_name(grant) for grant in metadata["grant_types_supported"]},
        methods=set(metadata["token_endpoint_auth_methods_supported"]),
        clients={str(kind) for kind, is_offered in kinds.items() if is_offered},
        idps={idp.type for idp in settings.upstream_idps},
        bindings={name for name, is_offered in bindings.items() if is_offered},
        endpoints={name for name in metadata if name.endswith("_endpoint")},
    )


def short_name(grant: str) -> str:
    """As ostiary.yaml has it."""
    return next((short for short, whole in SHORT_NAMES.items() if whole == grant), grant)
