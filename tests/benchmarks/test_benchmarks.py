"""The benchmarks run, and nothing fails under their load. Their figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.peers.unavailable import require

ROOT = Path(__file__).parents[2]


def test_no_call_fails_under_the_load_of_the_benchmark() -> None:
    require("wrk", "nginx", "gcc", "taskset")
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    rows = [line.split("|") for line in finished.stdout.splitlines() if line.startswith("| Ostiary")]
    assert [row[-2].strip() for row in rows] == ["0", "0"]
