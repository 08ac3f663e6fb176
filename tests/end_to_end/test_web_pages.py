"""Web pages of others, which reach what listens on this machine: by a name of their own, or across sites."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from ostiary.authserver.development import DevelopmentIdp, OnlyClient
from ostiary.cli.running import running
from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.config import OstiaryFile
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind
from ostiary.zoo.listening import serve

IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=https://zoo.example.com"
AT_HOME = Listen("127.0.0.1", 0)
EVIL = "https://evil.example.com"


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs, and a request that a program gets answered there."""

    origin: str
    method: str
    path: str
    headers: dict[str, str]
    content: bytes = b""

    async def ask(self, **headers: str) -> httpx2.Response:
        """The request, with what a browser adds."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            return await http.request(
                self.method,
                self.origin + self.path,
                content=self.content,
                headers=self.headers | {name.replace("_", "-"): value for name, value in headers.items()},
            )


def free() -> Listen:
    with bind(AT_HOME) as sock:
        return address_of(sock)


def local_google(**services: Any) -> Emulator:
    settings = {
        "listen": AT_HOME,
        "metadata": {"service_account": "caller"},
        "service_accounts": {"caller": {}},
        "services": services,
    }
    return Emulator(EmulatorSettings.model_validate(settings))


@contextlib.asynccontextmanager
async def signing() -> AsyncIterator[Target]:
    async with local_google() as google:
        content = {"content-type": "application/json"}
        yield Target(google.google_url, "POST", "/emulator/sign", content, b'{"claims": {}}')


@contextlib.asynccontextmanager
async def metadata() -> AsyncIterator[Target]:
    async with local_google() as google:
        yield Target(google.google_url, "GET", IDENTITY, {"metadata-flavor": "Google"})


@contextlib.asynccontextmanager
async def development_idp() -> AsyncIterator[Target]:
    client = OnlyClient("ostiary", "correct-horse-battery-staple", "http://127.0.0.1:9000/callback")
    idp = DevelopmentIdp(bind(AT_HOME), client)
    async with idp.listening():
        yield Target(idp.issuer, "GET", "/jwks", {})


@contextlib.asynccontextmanager
async def telemetry() -> AsyncIterator[Target]:
    listen = free()
    file = OstiaryFile.model_validate({"telemetry": {"listen": listen}})
    async with running(file):
        yield Target(f"http://{listen}", "GET", "/metrics", {})


@contextlib.asynccontextmanager
async def zoo() -> AsyncIterator[Target]:
    listen = free()
    serving = asyncio.create_task(serve(listen))
    await asyncio.sleep(0)
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    try:
        yield Target(f"http://{listen}", "POST", "/mcp", headers, message)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


SERVERS = [signing, metadata, development_idp, telemetry, zoo]
Running = Callable[[], AbstractAsyncContextManager[Target]]


@pytest.mark.parametrize("server", SERVERS)
async def test_dns_rebinding(server: Running) -> None:
    async with server() as target:
        assert (await target.ask()).status_code == 200
        port = target.origin.rpartition(":")[2]
        for name in (
            f"evil.example.com:{port}",
            "evil.example.com",
            f"127.0.0.1.evil.example.com:{port}",
            f"metadata.google.internal.evil.example.com:{port}",
        ):
            assert (await target.ask(host=name)).status_code in {400, 421}


@pytest.mark.parametrize("server", SERVERS)
async def test_a_page_of_another_site_is_refused(server: Running) -> None:
    async with server() as target:
        assert (await target.ask(origin=EVIL)).status_code == 403
        assert (await target.ask(origin="null")).status_code == 403
        assert (await target.ask(origin="http://localhost:3000")).status_code == 403
        assert (await target.ask(sec_fetch_site="cross-site", sec_fetch_mode="no-cors")).status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_form_of_a_page_signs_nothing(content_type: str) -> None:
    """What a page may send to another site without asking it before."""
    async with signing() as target:
        answered = await target.ask(content_type=content_type)
        clock = Target(target.origin, "POST", "/emulator/clock", {}, b'{"offset": "1h"}')
        assert (await clock.ask(content_type=content_type)).status_code == 400
    assert answered.json()["error"]["message"] == "the request's Content-Type is not application/json"


async def test_programs_call_the_metadata_server_by_the_names_that_google_s_libraries_have() -> None:
    async with metadata() as target:
        port = target.origin.rpartition(":")[2]
        for name in (
            f"localhost:{port}",
            "metadata.google.internal",
            f"metadata.google.internal:{port}",
            "metadata.google.internal.",
            "169.254.169.254",
            "metadata.google.internal:80",
            f"LocalHost:{port}",
        ):
            assert (await target.ask(host=name)).status_code == 200


async def test_dns_rebinding_at_a_cloud_run_service() -> None:
    """A public one: its own URLs, and those of its audiences, are the names that lead there."""
    behind = free()
    serving = asyncio.create_task(serve(behind))
    service = {
        "url": f"http://{behind}",
        "listen": AT_HOME,
        "invokers": ["allUsers"],
        "custom_audiences": ["https://zoo.example.com", "zoo"],
    }
    async with local_google(zoo=service) as google:
        target = Target(google.service_url("zoo"), "GET", "/", {})
        port = target.origin.rpartition(":")[2]
        ours = [
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            "zoo-123456789012.europe-west1.run.app",
            f"zoo-123456789012.europe-west1.run.app:{port}",
            "zoo.example.com",
        ]
        assert {(await target.ask(host=name)).status_code for name in ours} == {404}  # of the zoo
        for name in (f"evil.example.com:{port}", "evil.example.com", "zoo", "zoo.example.com.evil.com"):
            assert (await target.ask(host=name)).status_code == 400
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
