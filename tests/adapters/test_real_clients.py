"""Real clients keep their MCP session while tokens expire."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.adapters.zoo_on_cloud_run import running, zoo_on_cloud_run
from tests.peers.venvs import venv_python


@dataclass(frozen=True)
class Real:
    """A program, the environment it runs in (by default this one), and the message it begins with."""

    script: str
    arguments: tuple[str, ...] = ()
    venv: str | None = None
    begins_with: str = "initialize"


CLIENTS = {
    "mcp 2, modern": Real("mcp2.py", ("auto",), begins_with="server/discover"),
    "mcp 2, legacy": Real("mcp2.py", ("legacy",)),
    "mcp 1": Real("mcp1.py", venv="mcp1"),
    "FastMCP": Real("fastmcp_.py", venv="mcp2", begins_with="server/discover"),
    "ADK": Real("adk_.py", ("default",), venv="mcp2"),
    "OpenAI Agents": Real("openai_agents.py", venv="mcp2", begins_with="server/discover"),
    "pydantic-ai": Real("pydantic_ai_.py", venv="mcp2", begins_with="server/discover"),
    "LangChain": Real("langchain_.py", venv="mcp1"),
    "httpx": Real("httpx_.py"),
    "requests": Real("requests_.py"),
    "aiohttp": Real("aiohttp_.py"),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_keeps_its_session_while_tokens_expire(name: str, tmp_path: Path) -> None:
    client = CLIENTS[name]
    python = {} if client.venv is None else {"python": venv_python(client.venv)}
    async with (
        zoo_on_cloud_run(tmp_path) as cloud_run,
        running(cloud_run, tmp_path, client.script, *client.arguments, **python) as program,
    ):
        answers = [await program.call()]
        cloud_run.time_passes(hours=2)
        answers.append(await program.call())  # the server finds the token too old: it is fetched anew
        cloud_run.time_passes(hours=2)
        answers.append(await program.call(ahead=4))  # we know that it is too old: fetched before the call
        assert await program.end() == 0, (tmp_path / "client.log").read_text()
    log = (tmp_path / "client.log").read_text()
    assert ["Pingu" in answer for answer in answers] == [True] * 3, (answers, log)
    began = {method: cloud_run.zoo.methods[method] for method in ("initialize", "server/discover")}
    assert {method: times for method, times in began.items() if times} == {client.begins_with: 1}
    assert len(cloud_run.zoo.sessions) == (client.begins_with == "initialize")
    assert cloud_run.zoo.methods["tools/call"] == 3
    assert cloud_run.id_tokens == 3
