"""Agents of Google's ADK call the zoo on Cloud Run, and hear why when they can't."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.adapters.zoo_on_cloud_run import running, zoo_on_cloud_run
from tests.peers.venvs import venv_python

ADK = "adk_.py"


@pytest.mark.parametrize("credential", ["key", "account", "account-key"])
async def test_an_agent_calls_the_zoo_without_asking_anybody_for_consent(
    credential: str, tmp_path: Path
) -> None:
    python = venv_python("mcp2")
    async with zoo_on_cloud_run(tmp_path) as cloud_run:
        file = [str(cloud_run.key_file)] if "key" in credential else []
        async with running(cloud_run, tmp_path, ADK, credential, *file, python=python) as agent:
            answer = await agent.call()
    assert answer.startswith("[('get_animals_by_species', {")
    assert "Pingu" in answer
    assert "adk_request_credential" not in answer
    assert cloud_run.id_tokens == 1


async def test_a_fetch_that_fails_ends_the_turn_with_its_cause_and_not_the_session(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    async with zoo_on_cloud_run(tmp_path) as cloud_run:
        key_file = str(cloud_run.key_file)
        async with running(cloud_run, tmp_path, ADK, "key", key_file, python=venv_python("mcp2")) as agent:
            answers = [await agent.call()]
            cloud_run.key_file.rename(elsewhere)
            answers.append(await agent.call(ahead=2))
            elsewhere.rename(cloud_run.key_file)
            cloud_run.time_passes(hours=3)
            answers.append(await agent.call(ahead=3))
    assert "Pingu" in answers[0]
    assert answers[1].startswith(
        f"['CredentialMisconfigured: credential google_id_token for {cloud_run.url.removesuffix('/mcp')}: "
    )
    assert "Pingu" in answers[2]
    assert cloud_run.zoo.methods["initialize"] == 1


async def test_an_agent_that_may_not_call_hears_so_and_not_that_it_has_no_tools(tmp_path: Path) -> None:
    async with (
        zoo_on_cloud_run(tmp_path, invoker="someone") as cloud_run,
        running(cloud_run, tmp_path, ADK, "default", python=venv_python("mcp2")) as agent,
    ):
        answer = await agent.call()
    assert answer == (
        f"['CredentialMisconfigured: credential google_id_token for {cloud_run.url}: "
        "the server refused it with 403, fetched anew where that may help; "
        "see whether its audience is what the server expects, and whether its identity may call it']\n"
    )


async def test_what_adk_takes_for_an_audience_is_checked(tmp_path: Path) -> None:
    async with (
        zoo_on_cloud_run(tmp_path) as cloud_run,
        running(cloud_run, tmp_path, "adk_audiences.py", python=venv_python("mcp2")) as program,
    ):
        answers = [await program.call() for _ in range(2)]
    assert answers[0] == (
        "CredentialMisconfigured: credential google_id_token for an MCP server: an ID token is for one "
        "audience, and the ServiceAccount names none; set its audience to the service's address without a "
        "path, or use GoogleIdToken(), which takes it from the server's URL\n"
    )
    assert answers[1] == (
        "ValidationError: Cloud Run wants the service's address as audience, which has no path: "
        "write https://zoo-123456789012.europe-west1.run.app\n"
    )
