"""The zoo as a private Cloud Run service that keeps sessions, and counts how clients begin them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_server

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENTS = Path(__file__).parent / "clients"
ACCOUNT = "serviceAccount:{}@demo-project.iam.gserviceaccount.com"
TURN = 30
"""Seconds in which a client must have called; a bound against hanging."""


@dataclass
class Counted:
    """An MCP server, and what reached it."""

    app: ASGIApp
    methods: Counter[str] = field(default_factory=Counter)
    sessions: set[bytes] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted() -> Message:
            message = await receive()
            if message["type"] == "http.request" and message.get("body"):
                self.methods[json.loads(message["body"])["method"]] += 1
            return message

        if scope["type"] == "http":
            self.sessions |= {value for name, value in scope["headers"] if name == b"mcp-session-id"}
        await self.app(scope, noted if scope["type"] == "http" else receive, send)


@dataclass
class CloudRun:
    """A local Google with the zoo as a service of it."""

    google: Emulator
    zoo: Counted
    key_file: Path

    @property
    def url(self) -> str:
        return f"{self.google.service_url('zoo')}/mcp"

    @property
    def id_tokens(self) -> int:
        """How many were fetched."""
        return self.google.minted.get("id_token", 0)

    def time_passes(self, hours: float) -> None:
        """For Google; tokens that it gave before may be over now."""
        self.google.clock.offset += timedelta(hours=hours)

    def environment(self, directory: Path) -> dict[str, str]:
        """For a program that runs there."""
        return os.environ | self.google.environment() | {"CLOUDSDK_CONFIG": str(directory)}


@asynccontextmanager
async def zoo_on_cloud_run(directory: Path, *, invoker: str = "caller") -> AsyncIterator[CloudRun]:
    """Everybody on that machine is the account `caller`; invoker: the account that may call the zoo."""
    zoo = Counted(zoo_server().streamable_http_app(json_response=True, host="127.0.0.1"))
    key_file = directory / "caller.json"
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(zoo, sock):
        service = {
            "listen": "127.0.0.1:0",
            "url": f"http://{address_of(sock)}",
            "invokers": [ACCOUNT.format(invoker)],
        }
        settings: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "metadata": {"service_account": "caller"},
            "service_accounts": {"caller": {"key_file": key_file}, "someone": {}},
            "services": {"zoo": service},
        }
        async with Emulator(EmulatorSettings.model_validate(settings)) as google:
            yield CloudRun(google, zoo, key_file)


class Client:
    """A client's program, to be told when to call."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(self, *, ahead: float = 0) -> str:
        """What the tool answered; ahead: hours by which the client's clock is ahead from now on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{ahead * 3600}\n".encode())
        async with asyncio.timeout(TURN):
            return (await self._process.stdout.readline()).decode()

    async def end(self) -> int:
        """Let it end as it does; its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(TURN):
            return await self._process.wait()


@asynccontextmanager
async def running(
    cloud_run: CloudRun, directory: Path, script: str, *arguments: str, python: str = sys.executable
) -> AsyncIterator[Client]:
    """A client on a machine of the local Google's."""
    with (directory / "client.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(python, str(CLIENTS / script), cloud_run.url, *arguments),
            env=cloud_run.environment(directory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
