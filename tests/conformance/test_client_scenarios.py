"""The MCP conformance suite's client scenarios, with a client made of our credentials and the official SDK.

The suite runs all scenarios of a revision at once, extensions included; each is a test here.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.waiting_client import waiting_client
from tests.peers.npm import NpmPeer, npm_peer

PACKAGE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
CLIENT = Path(__file__).with_name("client.py")
OUTCOME = re.compile(r"^[✓✗] (\S+): (\d+ passed, .*)$", re.MULTILINE)
TIMEOUT = 480
"""Seconds for a whole run."""

BOTH = """
    auth/basic-cimd auth/client-credentials-basic auth/client-credentials-jwt auth/dpop auth/dpop-nonce
    auth/enterprise-managed-authorization auth/metadata-default auth/metadata-var1 auth/metadata-var2
    auth/metadata-var3 auth/pre-registration auth/scope-from-scopes-supported auth/scope-from-www-authenticate
    auth/scope-omitted-when-undefined auth/scope-retry-limit auth/scope-step-up auth/token-endpoint-auth-basic
    auth/token-endpoint-auth-none auth/token-endpoint-auth-post auth/wif-jwt-bearer
    json-schema-2020-12-preservation tools_call
"""
LEGACY_ONLY = "elicitation-sep1034-client-defaults initialize sse-retry"
MODERN_ONLY = """
    auth/authorization-server-migration auth/iss-normalized auth/iss-not-advertised auth/iss-supported
    auth/iss-supported-missing auth/iss-unexpected auth/iss-wrong-issuer auth/metadata-issuer-mismatch
    auth/offline-access-not-supported auth/offline-access-scope auth/resource-mismatch http-custom-headers
    http-invalid-tool-headers http-standard-headers json-schema-ref-no-deref request-metadata
    sep-2322-client-request-state
"""
SCENARIOS = {
    "2025-11-25": sorted((BOTH + LEGACY_ONLY).split()),
    "2026-07-28": sorted((BOTH + MODERN_ONLY).split()),
}


Outcomes = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Of a revision's scenarios, which are run once, whatever comes of it."""
    told: dict[str, dict[str, str]] = {}

    def of(revision: str) -> dict[str, str]:
        suite = npm_peer("conformance", PACKAGE)  # where there is none, each test is skipped
        if revision not in told:
            told[revision] = {}
            told[revision] = run(suite, revision, tmp_path_factory.mktemp(revision))
        return told[revision]

    return of


def run(suite: NpmPeer, revision: str, directory: Path) -> dict[str, str]:
    with waiting_client() as client:
        done = subprocess.run(
            [
                *(suite.program("conformance"), "client", "--command", client),
                *("--requirements", revision, "--timeout", str(TIMEOUT * 1000), "-o", str(directory)),
            ],
            env=suite.environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    return dict(OUTCOME.findall(done.stdout))


@pytest.mark.parametrize(
    ("revision", "scenario"),
    [(revision, scenario) for revision, scenarios in SCENARIOS.items() for scenario in scenarios],
)
def test_the_scenario_passes(revision: str, scenario: str, outcomes: Outcomes) -> None:
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed", outcomes(revision).get(scenario, "it was not run"))


@pytest.mark.parametrize("revision", SCENARIOS)
def test_no_scenario_is_left_out(revision: str, outcomes: Outcomes) -> None:
    assert sorted(outcomes(revision)) == SCENARIOS[revision]


@pytest.mark.parametrize("scenario", ["oauth-metadata-backcompat", "oauth-endpoint-fallback"])
def test_a_server_of_2025_03_26_is_found_by_its_own_rule(scenario: str, tmp_path: Path) -> None:
    """They belong to no revision's requirements any more, and servers to them are still about."""
    suite = npm_peer("conformance", PACKAGE)
    command = [
        suite.program("conformance"),
        "client",
        *("--command", shlex.join([sys.executable, str(CLIENT)])),
        *("--scenario", f"auth/2025-03-26-{scenario}"),
        *("-o", str(tmp_path)),
    ]
    done = subprocess.run(
        command, env=suite.environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert "OVERALL: PASSED" in done.stderr, done.stderr
