"""Gateways with one store: a token that one of them fetched is sent by all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.credentials.token_server import TokenServer
from tests.gateway.conftest import Caller, McpServer

from ostiary.gateway import Gateway
from ostiary.gateway.config import GatewaySettings
from ostiary.secrets import Secret
from ostiary.settings import Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind


@pytest.fixture
async def issuer() -> AsyncIterator[TokenServer]:
    async with TokenServer().running() as issuer:
        yield issuer


async def test_one_fetch_serves_two_gateways(server: McpServer, issuer: TokenServer, tmp_path: Path) -> None:
    credential = {
        "type": "client_credentials",
        "client_id": "ostiary",
        "client_secret": Secret("hunter2"),
        "token_url": str(issuer.token_url),
    }
    servers: dict[str, Any] = {"zoo": {"url": server.url, "credential": credential}}
    storage = StorageSettings.model_validate(
        {"url": f"sqlite:///{tmp_path}/s.db", "encryption_key": {"file": str(tmp_path / "s.key")}}
    )
    async with AsyncExitStack() as running:
        for _ in range(2):
            sock = bind(Listen("127.0.0.1", 0))
            where = str(address_of(sock))
            settings = {"listen": where, "allow_unauthenticated": True, "servers": servers}
            gateway = Gateway(GatewaySettings.model_validate(settings), storage=storage)
            await running.enter_async_context(gateway)
            await running.enter_async_context(answering(gateway.listeners(), {"gateway.listen": sock}))
            http = await running.enter_async_context(httpx2.AsyncClient(trust_env=False))
            await Caller(http, f"http://{where}").ask("tools/list")
    assert [seen.header("authorization") for seen in server.seen] == ["Bearer token-1"] * 2
    assert issuer.issued == 1
