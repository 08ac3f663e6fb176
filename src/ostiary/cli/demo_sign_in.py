"""The demo's people, and the authorization server at which they sign in.

Everything it keeps is in the demo's directory, and gone with it: the authority, too, by whose certificates
the gateway is given each person's own token of the provider. Any program may become a client.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.authserver.config.internal import INTERNAL_LISTEN
from ostiary.authserver.development import DevelopmentIdp, OnlyClient
from ostiary.certificates.authority import make_authority
from ostiary.certificates.settings import CaDirectory
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.secrets import Secret
from ostiary.settings import BASE_DIRECTORY, Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind_next_free

AUTHSERVER = Listen("127.0.0.1", 9000)
PEOPLE = Listen("127.0.0.1", 9001)
INTERNAL = Listen("127.0.0.1", 9443)
TRUST_DOMAIN = "ostiary.local"
GATEWAY_OWNER = "default/gateway"
"""A gateway is this workload, unless its settings say otherwise."""
PROVIDER = "development"
SCOPE = "mcp"


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """Where that stands."""

    issuer: str
    people: str
    internal: str
    """Where workloads exchange tokens."""
    certificates: dict[str, Any]
    """The settings by which they have certificates for it."""

    @property
    def userinfo(self) -> CanonicalUrl:
        """Where the people's provider says whose a token of its own is."""
        return canonical_url(endpoint(self.people, "/userinfo"))


@contextlib.asynccontextmanager
async def signing_people_in(directory: Path, *, gateway: str, account: str) -> AsyncIterator[DemoSignIn]:
    """Run both while the block does.

    gateway: its URL, for which the tokens are; account: its server that is given people's own, by name.
    """
    sock, people, internal = map(bind_next_free, (AUTHSERVER, PEOPLE, INTERNAL))
    authority = CaDirectory(directory / "pki")
    make_authority(authority, TRUST_DOMAIN, now=time.time())
    certificates = {"source": "internal_ca", "directory": authority}
    issuer = f"http://{address_of(sock)}"
    client = OnlyClient(
        "ostiary", secrets.token_urlsafe(32), redirect_uri=endpoint(issuer, f"/oauth/callback/{PROVIDER}")
    )
    idp = DevelopmentIdp(people, client)
    settings = AuthServerSettings.model_validate(
        {
            "listen": address_of(sock),
            "issuer": issuer,
            "internal": {
                "listen": address_of(internal),
                "trust_domain": TRUST_DOMAIN,
                "certificates": certificates,
            },
            "upstream_idps": [_development(idp, client)],
            "resources": [
                {
                    "resource": gateway,
                    "owner": GATEWAY_OWNER,
                    "scopes": [SCOPE],
                    "scope_descriptions": {SCOPE: "Call the tools of the zoo"},
                    "idps": [PROVIDER],
                    "servers": {account: [PROVIDER]},
                    "token_claims": ["email", "groups"],
                }
            ],
            "registration": {"dynamic": True},
        }
    )
    storage = StorageSettings.model_validate({}, context={BASE_DIRECTORY: directory})
    async with (
        idp.listening(),
        AuthServer(settings, storage=storage, audit=directory / "audit.jsonl") as authserver,
        answering(authserver.listeners(), {"authserver.listen": sock, INTERNAL_LISTEN: internal}),
    ):
        yield DemoSignIn(issuer, idp.issuer, f"https://{address_of(internal)}", certificates)


def _development(idp: DevelopmentIdp, client: OnlyClient) -> dict[str, Any]:
    return {
        "name": PROVIDER,
        "label": "Development accounts",
        "issuer": idp.issuer,
        "client_id": client.client_id,
        "client_secret": Secret(client.client_secret),
        "claims": {"groups": {"claim": "groups"}},
    }
