"""A local Google, and something to stand behind its front ends that tells what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.loopback import TRUSTING_NOBODY

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.cloudrun.emulator.keys import EmulatorKey
from ostiary.settings import Listen
from ostiary.transport.limits import Limits
from ostiary.transport.serving import address_of, bind, serving


class Inside:
    """What stands behind the front end."""

    def __init__(self) -> None:
        self.client_left = asyncio.Event()
        self.first_part = asyncio.Event()
        self.go_on = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/stream", self.stream),
                Route("/upload", self.upload, methods=["POST"]),
                Route("/endless", self.endless, methods=["GET", "POST"]),
                Route("/broken", self.broken),
                Route("/{path:path}", self.mirror, methods=["GET", "POST"]),
            ]
        )

    async def mirror(self, request: Request) -> Response:
        body = await request.body()
        headers = [[name.decode(), value.decode()] for name, value in request.scope["headers"]]
        target = request.scope["raw_path"].decode() + "?" + request.scope["query_string"].decode()
        return JSONResponse({"target": target, "headers": headers, "body": body.decode()})

    async def stream(self, request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: first\n\n"
            await self.go_on.wait()
            yield b"data: last\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def upload(self, request: Request) -> Response:
        size = 0
        async for part in request.stream():
            size += len(part)
            if part:
                self.first_part.set()
        return JSONResponse({"size": size})

    async def endless(self, request: Request) -> Response:
        async def nothing() -> AsyncIterator[bytes]:
            try:
                yield b": here\n\n"
                await asyncio.get_running_loop().create_future()
            except (asyncio.CancelledError, ClientDisconnect):
                self.client_left.set()
                raise

        return StreamingResponse(nothing(), media_type="text/event-stream")

    async def broken(self, request: Request) -> Response:
        async def half() -> AsyncIterator[bytes]:
            yield b"half"

        return StreamingResponse(half(), headers={"content-length": "8"})


@pytest.fixture
async def inside() -> Inside:
    return Inside()


@pytest.fixture
async def container_url(inside: Inside) -> AsyncIterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(inside.app, sock, limits=Limits(body_bytes=64 * 1024 * 1024)):
        yield f"http://{address_of(sock)}"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """A project without services."""
    return {
        "listen": "127.0.0.1:0",
        "metadata": {"service_account": "caller"},
        "service_accounts": {
            "caller": {"key_file": tmp_path / "caller.json"},
            "runtime": {"token_creators": ["caller"]},
            "deputy": {"token_creators": ["runtime"]},
            "stranger": {},
        },
    }


@pytest.fixture(scope="session")
def keys_of_the_run() -> list[EmulatorKey]:
    """Those that tests before have made."""
    return []


@pytest.fixture(autouse=True)
def _keys_are_made_once(keys_of_the_run: list[EmulatorKey], monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's first key is that of the test before, and so on: a test takes less long than to make one."""
    numbers = count()

    def key() -> EmulatorKey:
        number = next(numbers)
        if number == len(keys_of_the_run):
            keys_of_the_run.append(EmulatorKey())
        return keys_of_the_run[number]

    for module in ("emulator", "service_accounts"):
        monkeypatch.setattr(f"ostiary.cloudrun.emulator.{module}.EmulatorKey", key)


@pytest.fixture
async def emulator(settings: dict[str, Any]) -> AsyncIterator[Emulator]:
    async with Emulator(EmulatorSettings.model_validate(settings)) as emulator:
        yield emulator


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY) as http:
        yield http


@pytest.fixture
async def google(emulator: Emulator) -> AsyncIterator[httpx2.AsyncClient]:
    """The Google listener, for callers that run on Google."""
    headers = {"Metadata-Flavor": "Google"}
    async with httpx2.AsyncClient(
        base_url=emulator.google_url, headers=headers, trust_env=False, verify=TRUSTING_NOBODY
    ) as google:
        yield google
