"""Bytes through the front end: as they come, both ways."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from tests.captured_events import captured_events

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings

if TYPE_CHECKING:
    from tests.cloudrun.conftest import Inside


@pytest.fixture
def settings(container_url: str) -> dict[str, Any]:
    park = {"url": container_url, "listen": "127.0.0.1:0", "invokers": ["allUsers"]}
    return {"listen": "127.0.0.1:0", "services": {"park": park}}


@pytest.fixture
async def park(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A public service."""
    async with aiohttp.ClientSession(emulator.service_url("park")) as session:
        yield session


async def test_a_public_service_takes_anybody_and_leaves_headers_alone(park: aiohttp.ClientSession) -> None:
    async with park.get("/") as answer:
        assert answer.status == 200
    async with park.get("/", headers={"Authorization": "Bearer any.thing.here"}) as answer:
        assert dict((await answer.json())["headers"])["authorization"] == "Bearer any.thing.here"


async def test_an_event_arrives_before_the_answer_ends(park: aiohttp.ClientSession, inside: Inside) -> None:
    async with asyncio.timeout(5), park.get("/stream") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert await answer.content.readany() == b"data: first\n\n"
        inside.go_on.set()
        assert await answer.content.read() == b"data: last\n\n"


async def test_a_body_reaches_the_container_before_it_is_whole(
    park: aiohttp.ClientSession, inside: Inside
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await inside.first_part.wait()
        yield b"x" * 2000

    async with asyncio.timeout(5), park.post("/upload", data=parts()) as answer:
        assert await answer.json() == {"size": 3000}


async def test_a_body_of_many_megabytes_passes(park: aiohttp.ClientSession) -> None:
    async with park.post("/upload", data=io.BytesIO(b"x" * 20_000_000)) as answer:
        assert await answer.json() == {"size": 20_000_000}


@pytest.mark.parametrize("body", [None, b"{}"], ids=["without a body", "with a body"])
async def test_a_client_that_leaves_ends_the_call_in_the_container(
    park: aiohttp.ClientSession, inside: Inside, body: bytes | None
) -> None:
    async with park.request("POST" if body else "GET", "/endless", data=body) as answer:
        await answer.content.readany()
        answer.close()
    async with asyncio.timeout(5):
        await inside.client_left.wait()


async def test_an_answer_that_breaks_off_does_not_look_whole(park: aiohttp.ClientSession) -> None:
    async with park.get("/broken") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_nothing_behind_the_front_end_is_said_to_be_unavailable() -> None:
    park = {"url": "http://127.0.0.1:1", "listen": "127.0.0.1:0", "invokers": ["allUsers"]}
    dead = EmulatorSettings.model_validate({"listen": "127.0.0.1:0", "services": {"park": park}})
    async with Emulator(dead) as emulator, aiohttp.ClientSession() as session:
        with captured_events() as logs:
            async with session.get(emulator.service_url("park") + "/mcp") as answer:
                assert (answer.status, await answer.text()) == (503, "Service Unavailable")
    assert [entry for entry in logs if entry["event"] == "container_failed"] == [
        {
            "event": "container_failed",
            "log_level": "warning",
            "service": "park",
            "path": "/mcp",
            "reason": "the container does not answer: ClientConnectorError",
        }
    ]
