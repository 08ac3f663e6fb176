"""What a token that is at hand costs on each request: ours, and the providers of the SDK, FastMCP and ADK."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.peers.venvs import venv_python

from benchmarks.report import Row, table

SCRIPT = Path(__file__).parent / "credential_costs.py"
NAMES = {
    "ostiary": "Ostiary `CredentialAuth(GoogleIdToken())`",
    "ready": "Ostiary, the credential alone",
    "adk": "ADK 2.13 `ServiceAccountCredentialExchanger`, ID token",
    "sdk": "mcp 2.3 `ClientCredentialsOAuthProvider`",
    "fastmcp": "FastMCP 4.1.6 `ClientCredentialsOAuthProvider`",
}

FLOWS = {"ostiary", "sdk", "fastmcp"}
"""Those that are an `httpx2.Auth`, whose own cost counts for nobody."""


def run(*, requests: int, repeats: int) -> str:
    """The section of the page."""
    finished = subprocess.run(
        [venv_python("mcp2"), str(SCRIPT), str(requests), str(repeats)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    measured = json.loads(finished.stdout.splitlines()[-1])
    nothing = measured["nothing"]["microseconds"]
    ours = measured["ostiary"]["microseconds"] - nothing
    rows = []
    for name, title in NAMES.items():
        cost = measured[name]["microseconds"] - (nothing if name in FLOWS else 0)
        at_once = f"{measured[name]['at_once']:.1f}"
        rows.append(Row(title, [f"{cost:.1f} µs", f"{cost / ours:.2f}", at_once]))
    head = ["per request", "of ours", "16 slow requests at once, in times of one"]
    return "\n\n".join(["## A cached token on a request", INTRODUCTION, table(head, rows)])


INTRODUCTION = """\
Each provider has a valid token, and is handed requests that we answer ourselves: what is left is its own
cost, less that of an `httpx2.Auth` that does nothing. Ours includes comparing origins, and taking the
credential off again, so that no redirect carries it away; without these two it compares with ADK's, which is
no auth object but gives a token.

The last column is 1 when requests do not wait for one another. The SDK's provider, and FastMCP's, which is
made of it, hold a lock from before a request is sent until it is answered, so that it is 16. ADK's is asked
before a tool is called rather than on each request; its token stays as it is for as long as the session."""
