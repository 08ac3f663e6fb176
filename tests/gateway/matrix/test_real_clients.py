"""The clients that people use, and frameworks of agents, with servers of either era behind the gateway."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from tests.gateway.matrix.server_kinds import KINDS
from tests.peers.mcp_clients.clients import CLIENTS
from tests.peers.mcp_server.tools import TOOLS
from tests.peers.unavailable import takes_time
from tests.peers.venvs import venv_python
from tests.running_gateway import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROGRAMS = Path(__file__).with_name("clients")
PATIENCE = 120
"""Seconds for a program, most of which it imports."""
FRAMEWORKS = {
    "mcp 1": ("mcp_1.py", "mcp1"),
    "LangChain": ("langchain_.py", "mcp1"),
    "OpenAI Agents": ("openai_agents.py", "mcp2"),
    "pydantic-ai": ("pydantic_ai_.py", "mcp2"),
    "ADK": ("adk_.py", "mcp2"),
}
ERAS = ("modern", "legacy")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def urls() -> AsyncIterator[list[str]]:
    """Of gateways before a modern server and before a legacy one."""
    async with AsyncExitStack() as stack:
        found = []
        for kind in ERAS:
            server = await stack.enter_async_context(KINDS[kind]())
            settings = {"behind": {**server.settings, "prefix": ""}}
            found.append(f"{await stack.enter_async_context(running_gateway(settings))}/mcp")
        yield found


@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_a_framework_is_greeted_by_servers_of_either_era(
    name: str, urls: list[str], tmp_path: Path
) -> None:
    program, venv = FRAMEWORKS[name]
    process = await asyncio.create_subprocess_exec(
        *(venv_python(venv), str(PROGRAMS / program), *urls),
        env=os.environ | {"HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            told, failed = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answers = [json.loads(line) for line in told.splitlines() if line.startswith(b"{")]
    assert [answer["tools"] for answer in answers] == [len(TOOLS)] * len(urls), failed.decode()[-2000:]
    assert all("Hello, Ada!" in answer["said"] for answer in answers), answers


async def nobody_is_asked(url: str) -> None:
    raise AssertionError(f"somebody is to sign in at {url}")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_is_greeted_by_servers_of_either_era(
    name: str, era: str, urls: list[str], tmp_path: Path
) -> None:
    takes_time(name)
    url = urls[ERAS.index(era)]
    async with CLIENTS[name]().session(url, open_url=nobody_is_asked, store=tmp_path) as session:
        result = await session.call("greet", {"name": "Ada"})
    assert [block["text"] for block in result["content"]] == ["Hello, Ada!"]
