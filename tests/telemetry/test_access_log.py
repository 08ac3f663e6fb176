"""The access log: lines that nobody forges, and that nobody waits for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.captured_events import captured_events
from tests.clock import Clock

from ostiary.telemetry import access_log
from ostiary.telemetry.access_log import AccessLog, AccessLogUnusable
from ostiary.transport.access_records import AccessRecord

RECORD = AccessRecord("203.0.113.7", "POST", "/mcp", 200, 512, 0.0123456, "their-program")
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]


async def test_a_request_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    async with AccessLog(file, Clock()) as log:
        log.hear(RECORD)
        log.hear(RECORD._replace(status=None, client=None))
    first = {
        "time": "2027-01-15T08:00:00.000+00:00",
        "address": "203.0.113.7",
        "method": "POST",
        "path": "/mcp",
        "status": 200,
        "bytes": 512,
        "seconds": 0.012346,
        "client": "their-program",
    }
    assert lines(file) == [first, {**first, "status": None, "client": None}]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "hostile", ['/a\n{"status":200}', "/a\r\n", "/\x85\u2028\u202e", '/"}', "/\x00\x1b[2J"]
)
async def test_a_path_forges_no_line(tmp_path: Path, hostile: str) -> None:
    file = tmp_path / "access.jsonl"
    async with AccessLog(file) as log:
        log.hear(RECORD._replace(path=hostile, client=hostile, method="A\nB"))
    assert len(file.read_text().splitlines()) == 1
    (line,) = lines(file)
    assert line["path"].isprintable()
    assert line["client"].isprintable()


async def test_a_token_in_a_path_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    async with AccessLog(file) as log:
        log.hear(RECORD._replace(path=f"/mcp/{JWT}", client=f"Bearer {JWT}"))
        log.hear(RECORD._replace(path="/" + "x" * 100_000))
    assert JWT not in file.read_text()
    assert len(lines(file)[1]["path"]) == 500


async def test_more_than_can_be_written_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 3)
    file = tmp_path / "access.jsonl"
    async with AccessLog(file, Clock()) as log:
        for _ in range(10):
            log.hear(RECORD)
    assert [line.get("lost") for line in lines(file)] == [None, None, None, 7]


async def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    async with AccessLog(file) as log:
        file.rename(tmp_path / "access.1.jsonl")
        log.hear(RECORD)
    assert len(lines(file)) == 1
    assert lines(tmp_path / "access.1.jsonl") == []


async def test_a_disk_that_is_full_is_told_and_stops_nobody(tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    file.symlink_to("/dev/full")
    with captured_events() as events:
        async with AccessLog(file) as log:
            log.hear(RECORD)
    assert [event["event"] for event in events] == ["access_log_failing"]


async def test_standard_output_that_nobody_reads_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "PATIENCE", 0.05)
    readable, writable = os.pipe()
    os.write(writable, b"x" * 65536)
    with os.fdopen(writable, "w", closefd=False) as full, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", full)
        log = AccessLog(None)
    async with log:
        log.hear(RECORD)
    os.close(readable)


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccessLogUnusable, match=r"the access log .* cannot be opened: Is a directory"):
        AccessLog(tmp_path)
