"""The benchmark of both eras runs, and nothing fails. Its figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.peers.unavailable import require

ROOT = Path(__file__).parents[2]
PROGRAM = """
from benchmarks import eras

print(eras.calls(1, 1, (eras.OSTIARY,), eras.WAYS[1:4]))  # the first is that of another test
"""


def test_calls_between_the_eras_are_answered_under_the_load_of_the_benchmark() -> None:
    require("wrk", "nginx", "gcc", "taskset")
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert finished.returncode == 0, finished.stderr
    rows = [line.split("|") for line in finished.stdout.splitlines() if " → " in line]
    assert {row[1].strip(): row[-2].strip() for row in rows} == {
        "legacy → legacy: Ostiary": "0",
        "modern → legacy: Ostiary": "0",
        "legacy → modern: Ostiary": "0",
    }
