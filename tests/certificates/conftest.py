"""A trust domain whose certificates TLS takes, so of the real time: who travels begins in the past."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.clock import Clock
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.certificates.authority import Authority, make_authority
from ostiary.certificates.settings import CaDirectory


@pytest.fixture
def clock() -> Clock:
    """Now, as TLS has it too."""
    return Clock(float(int(time.time())))


@pytest.fixture
def directory(tmp_path: Path) -> CaDirectory:
    return CaDirectory(tmp_path / "pki")


@pytest.fixture
def authority(directory: CaDirectory, clock: Clock) -> Authority:
    """Ours, in `directory`, a week old."""
    return make_authority(directory, "ostiary.local", now=clock.now - 7 * 86400)


@pytest.fixture
def foreign(clock: Clock) -> WorkloadAuthority:
    """Somebody else's, which signs whatever the test wants."""
    return WorkloadAuthority("Foreign authority", clock.now)
