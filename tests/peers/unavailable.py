"""What happens to a test whose real peer is not on this machine, or not wanted now."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

FAST = "OSTIARY_FAST_TESTS"
"""Set in the environment of a run that starts no program: no browser, no peer, no PostgreSQL, no demo."""


def unavailable(why: str) -> NoReturn:
    """Skip, and say what to do about it; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def takes_time(what: str) -> None:
    """Called before a program is started: among the fast tests, its test is skipped."""
    if os.environ.get(FAST):
        pytest.skip(f"not among the fast tests: {what}")


def require(*programs: str) -> None:
    """Programs that a test starts."""
    takes_time(", ".join(programs))
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        unavailable(f"not installed: {', '.join(missing)}; .ci/packages names what brings them")
