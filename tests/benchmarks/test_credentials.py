"""The benchmark of credentials runs. Its figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.peers.venvs import venv_python

ROOT = Path(__file__).parents[2]
PROGRAM = "from benchmarks import credentials; print(credentials.run(requests=20, repeats=1))"


def test_every_provider_is_measured() -> None:
    venv_python("mcp2")
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert finished.returncode == 0, finished.stderr
    assert [line.split("|")[1].strip() for line in finished.stdout.splitlines()[-5:]] == [
        "Ostiary `CredentialAuth(GoogleIdToken())`",
        "Ostiary, the credential alone",
        "ADK 2.13 `ServiceAccountCredentialExchanger`, ID token",
        "mcp 2.3 `ClientCredentialsOAuthProvider`",
        "FastMCP 4.1.6 `ClientCredentialsOAuthProvider`",
    ]
