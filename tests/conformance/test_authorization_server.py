"""The MCP conformance suite's scenarios for authorization servers, with a person at the browser."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.conftest import clock as clock  # noqa: PLC0414 - fixtures
from tests.authserver.conftest import start as start  # noqa: PLC0414
from tests.authserver.person import Person, world
from tests.conformance.test_client_scenarios import PACKAGE
from tests.peers.mcp_clients.client import free_port
from tests.peers.npm import npm_peer

SCENARIOS = ["authorization-server-metadata-endpoint", "authorization-code-grant"]
TIMEOUT = 120
"""Seconds for a whole run."""


async def outcome_of(command: list[str], environment: dict[str, str], person: Person) -> str:
    """What the suite prints, whose links the person opens."""
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=STDOUT)
    assert process.stdout is not None
    printed = ""
    try:
        async with asyncio.timeout(TIMEOUT):
            while line := (await process.stdout.readline()).decode():
                printed += line
                if found := re.search(r"https?://\S+/oauth/authorize\?\S+", line):
                    there = await person.go_through(await person.open(found[0]))
                    await person.server.http.get(there.url)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return printed


async def test_every_scenario_passes(start: Start, clock: Clock, tmp_path: Path) -> None:
    suite, port = npm_peer("conformance", PACKAGE), free_port()
    clock.now = time.time()
    client = {"client_id": "suite", "redirect_uris": [f"http://127.0.0.1:{port}/callback"]}
    async with world(start, clock, clients=[client]) as here:
        command = [
            suite.program("conformance"),
            *("authorization", "--url", here.server.issuer, "--resource", RESOURCE),
            *("--client-id", "suite", "-p", str(port), "-o", str(tmp_path / "out")),
        ]
        printed = await outcome_of(command, suite.environment, await here.person())
    passed = re.findall(r"^✓ (\S+): [1-9]\d* passed, 0 failed", printed, re.MULTILINE)
    assert sorted(passed) == sorted(SCENARIOS), printed
