"""Our credential on an `httpx2` client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.counting_servers import CLIENT_ID, CLIENT_SECRET, CountingServers
from benchmarks.token_callers.posting import Call, posting
from ostiary.credentials import ClientCredentials
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.runtime import Runtime
from ostiary.secrets import Secret


@asynccontextmanager
async def calling(servers: CountingServers) -> AsyncIterator[Call]:
    credential = ClientCredentials(
        client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), issuer=servers.issuer
    )
    async with Runtime() as runtime:
        auth = CredentialAuth(credential, server_url=servers.server, runtime=runtime)
        async with posting(servers, auth) as call:
            yield call
