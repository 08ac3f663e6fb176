"""The benchmark of upstream tokens runs, and nothing fails. Its figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.peers.oidc_provider.peer import oidc_provider
from tests.peers.unavailable import require

ROOT = Path(__file__).parents[2]
PROGRAM = "from benchmarks import upstream_exchanges; print(upstream_exchanges.run(seconds=1, repeats=1))"


def test_no_exchange_fails_under_the_load_of_the_benchmark() -> None:
    require("taskset")
    oidc_provider()
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )

    assert finished.returncode == 0, finished.stderr
    rows = [line.split("|") for line in finished.stdout.splitlines() if line.startswith("| ")][1:]
    assert {row[1].strip(): row[-2].strip() for row in rows} == {
        "mutual TLS handshake alone": "0",
        "exchange, a connection each time": "0",
        "exchange, connection kept": "0",
        "introspection by `oidc-provider` 9.13.3, plain HTTP, connection kept": "0",
    }
