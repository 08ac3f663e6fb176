"""The official Python SDK's client, with its tokens in a file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from tests.peers.mcp_clients.callback import PATH, Answers, listening
from tests.peers.mcp_clients.client import PATIENCE, OpenUrl, free_port
from tests.peers.mcp_clients.opening import opening


class PythonSdk:
    """See McpClient."""

    def __init__(self) -> None:
        self._port = free_port()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._port}{PATH}"

    @asynccontextmanager
    async def session(
        self, server_url: str, *, open_url: OpenUrl, store: Path, client_metadata_url: str | None = None
    ) -> AsyncIterator[_Session]:
        async with opening(open_url) as show, listening(self._port) as (redirect_uri, answers):
            kept = _Store(store / "python-sdk.json")
            provider = _provider(server_url, redirect_uri, client_metadata_url, kept, show, answers)
            kept.remind(provider)
            async with httpx2.AsyncClient(auth=provider, trust_env=False) as http, AsyncExitStack() as stack:
                transport = streamable_http_client(server_url, http_client=http)
                async with asyncio.timeout(PATIENCE):
                    client = await stack.enter_async_context(Client(transport))
                yield _Session(client)


class _Session:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            result = await self._client.call_tool(tool, dict(arguments))
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def _provider(
    server_url: str,
    redirect_uri: str,
    client_metadata_url: str | None,
    kept: _Store,
    show: Callable[[str], None],
    answers: Answers,
) -> OAuthClientProvider:
    async def redirect(url: str) -> None:
        show(url)

    async def answer() -> AuthorizationCodeResult:
        arrived = await answers.get()
        if "error" in arrived:
            raise AssertionError(f"the authorization server answers {dict(arrived)}")
        return AuthorizationCodeResult(
            code=arrived["code"], state=arrived.get("state"), iss=arrived.get("iss")
        )

    metadata = {
        "client_name": "Python SDK",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    return OAuthClientProvider(
        server_url,
        OAuthClientMetadata.model_validate(metadata),
        kept,
        redirect,
        answer,
        client_metadata_url,
    )


class _Store:
    """The SDK's TokenStorage, and what the SDK itself forgets at its end though a refresh needs it.

    That is when the token ends, and the metadata that say where the token endpoint is.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self._provider: OAuthClientProvider | None = None

    def remind(self, provider: OAuthClientProvider) -> None:
        """Give it back what the last one knew."""
        self._provider = provider
        if "metadata" in self._kept:
            context = provider.context
            context.token_expiry_time = self._kept["tokens"]["expires_at"]
            context.oauth_metadata = OAuthMetadata.model_validate(self._kept["metadata"])
            context.protected_resource_metadata = ProtectedResourceMetadata.model_validate(
                self._kept["resource"]
            )

    async def get_tokens(self) -> OAuthToken | None:
        return OAuthToken.model_validate(self._kept["tokens"]) if "tokens" in self._kept else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        assert self._provider is not None
        context = self._provider.context
        assert context.oauth_metadata is not None
        assert context.protected_resource_metadata is not None
        self._keep(
            tokens=_plain(tokens) | {"expires_at": time.time() + (tokens.expires_in or 3600)},
            metadata=_plain(context.oauth_metadata),
            resource=_plain(context.protected_resource_metadata),
        )

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        kept = self._kept.get("client")
        return None if kept is None else OAuthClientInformationFull.model_validate(kept)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._keep(client=_plain(client_info))

    def _keep(self, **values: Any) -> None:
        self._kept |= values
        self._file.write_text(json.dumps(self._kept))


def _plain(model: Any) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain
