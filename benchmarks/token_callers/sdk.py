"""The provider of the `mcp` SDK on an `httpx2` client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from benchmarks.counting_servers import CLIENT_ID, CLIENT_SECRET, CountingServers
from benchmarks.token_callers.posting import Call, posting


class Storage:
    """What it keeps its token in."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        pass


@asynccontextmanager
async def calling(servers: CountingServers) -> AsyncIterator[Call]:
    provider = ClientCredentialsOAuthProvider(
        servers.server, Storage(), CLIENT_ID, CLIENT_SECRET, issuer=servers.issuer
    )
    async with posting(servers, provider) as call:
        yield call
