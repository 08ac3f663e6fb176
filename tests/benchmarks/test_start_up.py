"""The benchmark of what starting takes runs, and everything answers. Its figures are for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = "from benchmarks import start_up; print(start_up.run(repeats=1, quick=True))"


def test_everything_of_ours_is_started_and_answers() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )

    assert finished.returncode == 0, finished.stderr
    rows = [line.split("|")[1].strip() for line in finished.stdout.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row] == [
        "`python -c pass`",
        "`ostiary --help`",
        "`ostiary check`",
        "`ostiary tools URL`",
        "`ostiary call URL TOOL`",
        "`ostiary bridge URL`",
        "`ostiary up`: an open gateway",
        "`ostiary up`: a gateway for JWTs",
        "`ostiary up`: an authorization server, new",
        "… with the store of before",
        "`ostiary up`: both, new",
    ]
