"""The traps of the benchmark, and that we are not caught. Its figures are for people to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFUSED, RENEWING, LIFETIME = "0.3", "1.4", "1"
SECTION = """
import json, sys
from benchmarks.token_trap_table import section
print(section(json.loads(sys.argv[1]), refused=5, renewing=10))
"""


def run(*arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_ostiary_asks_once_on_a_cold_cache_and_once_when_refused() -> None:
    answer = run("-m", "benchmarks.token_traps", REFUSED, RENEWING, LIFETIME, "ostiary")

    measured = json.loads(answer)["ostiary"]
    counted = {
        name: measured[name] for name in ("first", "refused", "refused_calls", "renewing_calls", "failed")
    }
    assert counted == {"first": 1, "refused": 1, "refused_calls": 15, "renewing_calls": 70, "failed": 0}
    assert measured["renewals"] >= 1


def test_the_notes_say_what_was_measured() -> None:
    good = {"first": 1, "refused": 1, "refused_calls": 250, "waited": 0, "failed": 0}
    good |= {"renewing_calls": 500, "renewals": 2, "behind": 0}
    locked = good | {"refused": 250, "waited": 17, "behind": 16}
    minting = good | {"first": 64, "refused": 250, "waited": 500, "renewals": 500}
    measured = {"ostiary": good, "sdk": locked, "fastmcp": locked, "adk": minting}

    notes = run("-c", SECTION, json.dumps(measured)).strip().split("\n\n")[-1]

    assert notes.split("\n- ") == [
        (
            "- A lock held across the request; quick calls that waited for the slow one's answer: "
            "0 of 16 with Ostiary, ADK; 16 of 16 with the SDK, FastMCP."
        ),
        (
            "Tokens minted for each call, or by a herd; token requests: "
            "3 for 64 first and 500 later calls with Ostiary, the SDK, FastMCP; "
            "564 for 64 first and 500 later calls with ADK."
        ),
        (
            "Asking again after a final no; token requests: "
            "1 for 250 calls with Ostiary; 250 for 250 calls with the SDK, FastMCP, ADK."
        ),
        (
            "Waiting while a token is replaced; calls that waited: "
            "0 for 2 new tokens with Ostiary; 17 for 2 new tokens with the SDK, FastMCP; "
            "500 for 500 new tokens with ADK."
        ),
    ]
