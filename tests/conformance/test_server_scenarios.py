"""The MCP conformance suite's server scenarios, against servers behind our gateway.

The suite runs all scenarios of a revision at once; each is a test here. The servers are ours, which is
written for this, and the one of the official SDK.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.peers.everything_server import running_everything_server
from tests.peers.mcp_server.running import running_fixture
from tests.peers.npm import NpmPeer, npm_peer
from tests.running_gateway import running_gateway

PACKAGE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
OUTCOME = re.compile(r"^[✓✗] (\S+): (\d+ passed, .*)$", re.MULTILINE)
TIMEOUT = 240
"""Seconds for a whole run."""
SERVERS: dict[str, Callable[[], AbstractAsyncContextManager[str]]] = {
    "ours": running_fixture,
    "the SDK's": running_everything_server,
}
BOTH = """
    completion-complete dns-rebinding-protection json-schema-2020-12 prompts-get-embedded-resource
    prompts-get-simple prompts-get-with-args prompts-get-with-image prompts-list resources-list
    resources-read-binary resources-read-text resources-templates-read server-sse-multiple-streams
    tools-call-audio tools-call-embedded-resource tools-call-error tools-call-image tools-call-mixed-content
    tools-call-simple-text tools-call-with-progress tools-list
"""
LEGACY_ONLY = """
    elicitation-sep1034-defaults elicitation-sep1330-enums logging-set-level ping resources-subscribe
    resources-unsubscribe server-initialize server-session-lifecycle tools-call-elicitation
    tools-call-sampling tools-call-with-logging
"""
MODERN_ONLY = """
    caching http-custom-header-server-validation http-header-validation
    input-required-result-basic-elicitation input-required-result-basic-list-roots
    input-required-result-basic-sampling input-required-result-capability-check
    input-required-result-ignore-extra-params input-required-result-missing-input-response
    input-required-result-multi-round input-required-result-multiple-input-requests
    input-required-result-non-tool-request input-required-result-request-state
    input-required-result-result-type input-required-result-tampered-state
    input-required-result-unsupported-methods input-required-result-validate-input
    sep-2164-resource-not-found server-stateless
"""
TASKS = """
    tasks-capability-negotiation tasks-dispatch-and-envelope tasks-lifecycle tasks-mrtr-composition
    tasks-mrtr-input tasks-request-headers tasks-request-state-removal tasks-required-task-error
    tasks-wire-fields
"""
"""An extension of 2026-07-28, which the SDK's server does not have."""
SCENARIOS = {
    ("ours", "2025-11-25"): sorted((BOTH + LEGACY_ONLY).split()),
    ("the SDK's", "2025-11-25"): sorted((BOTH + LEGACY_ONLY).split()),
    ("ours", "2026-07-28"): sorted((BOTH + MODERN_ONLY + TASKS).split()),
    ("the SDK's", "2026-07-28"): sorted((BOTH + MODERN_ONLY).split()),
}
LEFT_OUT = {"2025-11-25": ["server-sse-polling"], "2026-07-28": ["tasks-status-notifications"]}
"""What a server may leave out, and the gateway does: these pass nothing and fail nothing."""
NOT_COUNTED = {
    (server, revision): LEFT_OUT[revision]
    + (TASKS.split() if (server, revision) == ("the SDK's", "2026-07-28") else [])
    for server, revision in SCENARIOS
}

Outcomes = Callable[[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Of a revision's scenarios with a server, which are run once, whatever comes of it."""
    told: dict[tuple[str, str], dict[str, str]] = {}

    def of(server: str, revision: str) -> dict[str, str]:
        suite = npm_peer("conformance", PACKAGE)  # where there is none, each test is skipped
        if (server, revision) not in told:
            told[server, revision] = {}
            directory = tmp_path_factory.mktemp(revision)
            told[server, revision] = asyncio.run(run(suite, server, revision, directory))
        return told[server, revision]

    return of


async def run(suite: NpmPeer, server: str, revision: str, directory: Path) -> dict[str, str]:
    async with (
        SERVERS[server]() as url,
        running_gateway({"behind": {"url": url, "prefix": ""}}) as gateway,
        asyncio.timeout(TIMEOUT),
    ):
        process = await asyncio.create_subprocess_exec(
            *(suite.program("conformance"), "server", "--url", f"{gateway}/mcp"),
            *("--requirements", revision, "-o", str(directory)),
            env=suite.environment,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    return dict(OUTCOME.findall(printed.decode()))


@pytest.mark.parametrize(
    ("server", "revision", "scenario"),
    [(*run_of, scenario) for run_of, scenarios in SCENARIOS.items() for scenario in scenarios],
)
def test_the_scenario_passes(server: str, revision: str, scenario: str, outcomes: Outcomes) -> None:
    outcome = outcomes(server, revision).get(scenario, "it was not run")
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed", outcome)


@pytest.mark.parametrize(("server", "revision"), SCENARIOS)
def test_no_scenario_is_left_out(server: str, revision: str, outcomes: Outcomes) -> None:
    counted, not_counted = SCENARIOS[server, revision], NOT_COUNTED[server, revision]
    assert sorted(outcomes(server, revision)) == sorted(counted + not_counted)
