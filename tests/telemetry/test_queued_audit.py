"""The audit of what happens many times a second: nothing is lost, nothing more happens while it is away."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from tests.captured_events import captured_events

from ostiary.telemetry import queued_audit
from ostiary.telemetry.queued_audit import QueuedAudit


class Event(StrEnum):
    """Of this test."""

    CALLED = "called"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]


def away(audit: QueuedAudit) -> str | None:
    return audit.away


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - a thread makes it true
            await asyncio.sleep(0.005)


class Disk:
    """`os.write` with as much room as the test says."""

    def __init__(self) -> None:
        self.room = 1_000_000

    def write(self, descriptor: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        fits = data[: self.room]
        self.room -= len(fits)
        return _REAL_WRITE(descriptor, fits)


_REAL_WRITE = os.write


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    monkeypatch.setattr(queued_audit, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(queued_audit, "GATHERED_SECONDS", 0.001)
    return disk


async def test_events_are_lines_in_their_order(tmp_path: Path) -> None:
    async with QueuedAudit(tmp_path / "audit", clock=lambda: 1_800_000_000.0) as audit:
        for number in range(1000):
            audit.note(Event.CALLED, {"number": number, "nothing": None})
        assert audit.away is None
    written = lines(tmp_path / "audit")
    assert [one["number"] for one in written] == list(range(1000))
    assert written[0] == {"time": "2027-01-15T08:00:00.000+00:00", "event": "called", "number": 0}


async def test_a_full_disk_lets_nothing_more_happen_and_loses_nothing(tmp_path: Path, disk: Disk) -> None:
    disk.room = 100  # one line, and the beginning of another
    file = tmp_path / "audit"
    with captured_events() as events:
        async with QueuedAudit(file, clock=lambda: 1_800_000_000.0) as audit:
            for number in range(3):
                audit.note(Event.CALLED, {"number": number})
            await until(lambda: audit.away is not None)
            assert audit.away == f"the audit file {file} cannot be written: No space left on device"
            disk.room = 1_000_000
            await until(lambda: audit.away is None)
    torn = [line for line in file.read_text("utf-8").splitlines() if not line.endswith("}")]
    whole = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.endswith("}")]
    assert len(torn) == 1
    assert [one["number"] for one in whole] == [0, 1, 2]
    assert [one["event"] for one in events] == ["audit_failing", "audit_written_again"]


async def test_what_is_lost_at_the_end_is_told(tmp_path: Path, disk: Disk) -> None:
    disk.room = 0
    with captured_events() as events:
        async with QueuedAudit(tmp_path / "audit", clock=lambda: 1_800_000_000.0) as audit:
            audit.note(Event.CALLED, {"number": 1})
            audit.note(Event.CALLED, {"number": 2})
    assert [(one["event"], one.get("events")) for one in events] == [
        ("audit_failing", None),
        ("audit_lost", 2),
    ]


async def test_a_slow_disk_lets_nothing_more_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued_audit, "MOST_WAITING", 2)
    async with QueuedAudit(tmp_path / "audit", clock=lambda: 1_800_000_000.0) as audit:
        audit.note(Event.CALLED, {})
        assert not away(audit)
        audit.note(Event.CALLED, {})
        assert away(audit) == "the audit file is written too slowly"
        await until(lambda: not away(audit))


async def test_log_injection_no_name_of_a_caller_forges_a_line(tmp_path: Path) -> None:
    async with QueuedAudit(tmp_path / "audit", clock=lambda: 1_800_000_000.0) as audit:
        audit.note(
            Event.CALLED, {"name": 'x"}\n{"event":"called","name":"forged', "key": "Bearer abcdefgh12345678"}
        )
    [line] = lines(tmp_path / "audit")
    assert line["name"] == 'x"}\\n{"event":"called","name":"forged'
    assert line["key"] == "Bearer ***"
