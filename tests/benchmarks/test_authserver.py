"""The benchmark of authorization servers runs, and nothing fails. Its figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.peers.oidc_provider.peer import oidc_provider
from tests.peers.unavailable import require

ROOT = Path(__file__).parents[2]
PROGRAM = """
from benchmarks import authserver

names = [name for name in authserver.SERVERS if name != authserver.DEX]  # which takes minutes to build
print(authserver.run(seconds=1, repeats=1, names=names, cold=True))
"""


def test_no_request_fails_under_the_load_of_the_benchmark() -> None:
    require("wrk", "taskset")
    oidc_provider()
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )

    assert finished.returncode == 0, finished.stderr
    rows = [line.split("|") for line in finished.stdout.splitlines() if line.startswith("| ")][1:-1]
    assert {row[1].strip(): row[-2].strip() for row in rows} == {
        "client credentials: Ostiary": "0",
        "client credentials: `oidc-provider` 9.13.3": "0",
        "code → tokens: Ostiary": "0",
        "code → tokens: `oidc-provider` 9.13.3": "0",
        "code → tokens: `oidc-provider` 9.13.3, SQLite": "0",
        "introspection: Ostiary": "0",
        "introspection: `oidc-provider` 9.13.3": "0",
        "introspection: `oidc-provider` 9.13.3, SQLite": "0",
        "JWKS: Ostiary": "0",
        "JWKS: `oidc-provider` 9.13.3": "0",
    }
