"""The demo's people, and the authorization server at which they sign in.

Everything it keeps is in the demo's directory, and gone with it. Any program may become a client.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.authserver.development import DevelopmentIdp, OnlyClient
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.secrets import Secret
from ostiary.settings import BASE_DIRECTORY, Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind_next_free

AUTHSERVER = Listen("127.0.0.1", 9000)
PEOPLE = Listen("127.0.0.1", 9001)
NAME = "development"
SCOPE = "mcp"


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """Where that stands."""

    issuer: str
    people: str


@contextlib.asynccontextmanager
async def signing_people_in(directory: Path, *, resource: str) -> AsyncIterator[DemoSignIn]:
    """Run both while the block does. resource: the gateway, for which the tokens are."""
    sock, people = bind_next_free(AUTHSERVER), bind_next_free(PEOPLE)
    issuer = f"http://{address_of(sock)}"
    client = OnlyClient(
        "ostiary", secrets.token_urlsafe(32), redirect_uri=endpoint(issuer, f"/oauth/callback/{NAME}")
    )
    idp = DevelopmentIdp(people, client)
    settings = AuthServerSettings.model_validate(
        {
            "listen": address_of(sock),
            "issuer": issuer,
            "upstream_idps": [_development(idp, client)],
            "resources": [
                {
                    "resource": resource,
                    "owner": "demo/gateway",
                    "scopes": [SCOPE],
                    "scope_descriptions": {SCOPE: "Call the tools of the zoo"},
                    "idps": [NAME],
                    "token_claims": ["email", "groups"],
                }
            ],
            "registration": {"dynamic": True},
        }
    )
    storage = StorageSettings.model_validate({}, context={BASE_DIRECTORY: directory})
    async with (
        idp.listening(),
        AuthServer(settings, storage=storage, audit=directory / "audit.jsonl") as server,
        answering(server.listeners(), {"authserver.listen": sock}),
    ):
        yield DemoSignIn(issuer, idp.issuer)


def _development(idp: DevelopmentIdp, client: OnlyClient) -> dict[str, Any]:
    return {
        "name": NAME,
        "label": "Development accounts",
        "issuer": idp.issuer,
        "client_id": client.client_id,
        "client_secret": Secret(client.client_secret),
        "claims": {"groups": {"claim": "groups"}},
    }
