"""The benchmarks run, and nothing fails under their load. Their figures are for people to read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = ("wrk", "nginx", "gcc", "taskset")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    not os.environ.get("CI") and any(shutil.which(program) is None for program in NEEDED),
    reason="install the Debian packages wrk, nginx-light and gcc to run the benchmarks",
)
def test_no_call_fails_under_the_load_of_the_benchmark() -> None:
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
