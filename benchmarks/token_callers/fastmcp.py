"""FastMCP's provider on an `httpx2` client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastmcp.client.auth import ClientCredentialsOAuthProvider

from benchmarks.counting_servers import CLIENT_ID, CLIENT_SECRET, CountingServers
from benchmarks.token_callers.posting import Call, posting


@asynccontextmanager
async def calling(servers: CountingServers) -> AsyncIterator[Call]:
    provider = ClientCredentialsOAuthProvider(
        servers.server, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, issuer=servers.issuer
    )
    async with posting(servers, provider) as call:
        yield call
