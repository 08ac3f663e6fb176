"""ADK's exchanger, asked before each call: so does its credential manager without a credential service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from google.adk.auth.auth_credential import AuthCredential, AuthCredentialTypes, OAuth2Auth
from google.adk.auth.exchanger.oauth2_credential_exchanger import OAuth2CredentialExchanger

from benchmarks.counting_servers import CLIENT_ID, CLIENT_SECRET, CountingServers
from benchmarks.token_callers.posting import TIMEOUT, Call


@asynccontextmanager
async def calling(servers: CountingServers) -> AsyncIterator[Call]:
    flow = OAuthFlowClientCredentials(tokenUrl=servers.token_url, scopes={})
    scheme = OAuth2(flows=OAuthFlows(clientCredentials=flow))
    configured = AuthCredential(
        auth_type=AuthCredentialTypes.OAUTH2,
        oauth2=OAuth2Auth(client_id=CLIENT_ID, client_secret=CLIENT_SECRET),
    )
    exchanger = OAuth2CredentialExchanger()
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
        url = httpx2.URL(servers.server)

        async def call(path: str) -> None:
            exchanged = await exchanger.exchange(configured.model_copy(deep=True), scheme)
            if not exchanged.was_exchanged:
                raise RuntimeError("no token")
            bearer = {"authorization": f"Bearer {exchanged.credential.oauth2.access_token}"}
            answer = await client.post(url.copy_with(path=path), headers=bearer)
            answer.raise_for_status()

        yield call
