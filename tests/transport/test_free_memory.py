"""What was freed is given back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

HAS_GLIBC = Path("/proc/self/status").exists() and hasattr(ctypes.CDLL(None), "mallinfo2")

FREES_IN_PIECES = """
from pathlib import Path
from ostiary.transport.free_memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

assert not give_back(), "nothing was free yet"
pieces = [(bytes(100_000), bytes(1000)) for _ in range(1000)]
kept = [small for _, small in pieces]
del pieces
before = resident()
assert give_back()
print(before - resident())
"""


@pytest.mark.skipif(not HAS_GLIBC, reason="only glibc keeps what was freed: run it on Linux with glibc 2.33")
def test_a_flood_that_is_over_leaves_no_memory_behind() -> None:
    told = subprocess.run([sys.executable, "-c", FREES_IN_PIECES], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 40_000_000
