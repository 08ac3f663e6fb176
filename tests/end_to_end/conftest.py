"""A local Google with two private Cloud Run services, the zoo and a lighter one; gateways before them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.inline_http import Answer, Doors, Request
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

ACCOUNT = "{}@demo-project.iam.gserviceaccount.com"


async def light_server(request: Request) -> Answer:
    """An MCP server that answers every call at once, with an empty result."""
    answer = {
        "jsonrpc": "2.0",
        "id": json.loads(await request.whole())["id"],
        "result": {"resultType": "complete"},
    }
    return Answer(200, json.dumps(answer).encode())


@asynccontextmanager
async def listening(app: ASGIApp, doors: Doors | None = None) -> AsyncIterator[str]:
    """A server on a free port: its origin."""
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(app, sock, doors=doors):
        yield f"http://{address_of(sock)}"


@pytest.fixture
async def google(tmp_path: Path) -> AsyncIterator[Emulator]:
    """The services `zoo` and `light`, which the account `gateway` alone may call."""
    async with (
        listening(zoo_app()) as zoo,
        listening(Starlette(), {b"POST": {b"/mcp": light_server}}) as light,
    ):
        private = {"listen": "127.0.0.1:0", "invokers": [f"serviceAccount:{ACCOUNT.format('gateway')}"]}
        settings = {
            "listen": "127.0.0.1:0",
            "metadata": {"service_account": "gateway"},
            "service_accounts": {
                "gateway": {"key_file": tmp_path / "gateway.json"},
                "visitor": {"key_file": tmp_path / "visitor.json"},
            },
            "services": {"zoo": private | {"url": zoo}, "light": private | {"url": light}},
        }
        async with Emulator(EmulatorSettings.model_validate(settings)) as emulator:
            yield emulator


@asynccontextmanager
async def open_gateway(google: Emulator, key_file: Path) -> AsyncIterator[str]:
    """A gateway that lets everybody in, and lives in Google's time: its URL.

    It has its own tokens by a key file, because google-auth looks for the metadata server only as it is
    first imported, which other tests of this process have done.
    """
    sock = bind(Listen("127.0.0.1", 0))
    credential = {"type": "google_id_token", "key_file": str(key_file)}
    servers = {
        name: {"url": f"{google.service_url(name)}/mcp", "credential": credential}
        for name in ("zoo", "light")
    }
    settings = GatewaySettings.model_validate(
        {"listen": address_of(sock), "allow_unauthenticated": True, "servers": servers}
    )
    async with (
        Gateway(settings, clock=google.clock) as gateway,
        answering(gateway.listeners(), {"gateway.listen": sock}),
    ):
        yield f"http://{address_of(sock)}/mcp"


@asynccontextmanager
async def ostiary_up(configuration: dict[str, Any], google: Emulator, directory: Path) -> AsyncIterator[None]:
    """`ostiary up` on a machine that is the local Google's, until the block ends."""
    (directory / "ostiary.yaml").write_text(json.dumps(configuration))  # YAML takes JSON for its own
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostiary", "up"),
        cwd=directory,
        env=os.environ | google.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert (await process.stdout.readline()).startswith(b"The gateway answers at ")
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            await process.wait()
