"""The audit file: one line of JSON an event, in which no secret and no forged line can stand."""

from __future__ import annotations

import json
import stat
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from tests.captured_events import captured_events

from ostiary.secrets import Secret
from ostiary.telemetry.audit import Audit, AuditUnusable

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ2aXNpdG9yIn0.c2lnbmF0dXJl"


class Event(StrEnum):
    """Of this test."""

    HAPPENED = "happened"


def written(file: Path, **particulars: Any) -> dict[str, Any]:
    audit = Audit(file, clock=lambda: 1_800_000_000.0)
    audit.write(Event.HAPPENED, **particulars)
    audit.close()
    [line] = file.read_text("utf-8").splitlines()
    event: dict[str, Any] = json.loads(line)
    return event


def test_an_event_is_one_line(tmp_path: Path) -> None:
    assert written(tmp_path / "audit", client="ci", scopes=["mcp"], nothing=None) == {
        "time": "2027-01-15T08:00:00.000+00:00",
        "event": "happened",
        "client": "ci",
        "scopes": ["mcp"],
    }
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("particulars", "kept"),
    [
        ({"reason": f"sent {JWT} to us"}, {"reason": "sent *** to us"}),
        ({"reason": Secret("hunter2")}, {"reason": "***"}),
        ({"refresh_token": "opaque"}, {"refresh_token": "***"}),
        ({"act": {"sub": "agent", "token": "opaque"}}, {"act": {"sub": "agent", "token": "***"}}),
        ({"chain": [JWT]}, {"chain": ["***"]}),
    ],
)
def test_no_secret_stands_in_it(tmp_path: Path, particulars: dict[str, Any], kept: dict[str, Any]) -> None:
    event = written(tmp_path / "audit", **particulars)
    assert {name: event[name] for name in kept} == kept


@pytest.mark.parametrize("name", ["one\ntwo", "one\r\n{}", "one\u2028two", "one\u202etwo", "one\x00two"])
def test_nobody_forges_a_line(tmp_path: Path, name: str) -> None:
    event = written(tmp_path / "audit", client=name)
    assert event["client"].encode("unicode_escape").count(b"one") == 1
    assert len((tmp_path / "audit").read_text("utf-8").splitlines()) == 1


def test_events_are_appended(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text('{"event": "before"}\n')
    audit = Audit(tmp_path / "audit", clock=lambda: 0.0)
    audit.write(Event.HAPPENED)
    audit.close()
    lines = (tmp_path / "audit").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["before", "happened"]


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditUnusable) as refused:
        Audit(tmp_path / "missing" / "audit", clock=lambda: 0.0)
    assert str(refused.value) == (
        f"the audit file {tmp_path}/missing/audit cannot be opened: No such file or directory"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_an_event_for_which_there_is_no_room_is_a_line_of_the_log() -> None:
    audit = Audit(Path("/dev/full"), clock=lambda: 0.0)
    with captured_events() as lines:
        audit.write(Event.HAPPENED, client="ci")
    audit.close()
    assert lines == [{"event": "happened", "client": "ci", "log_level": "info"}]
    assert audit.failing == "the audit file cannot be written: No space left on device"


def test_whoever_listens_hears_what_is_written(tmp_path: Path) -> None:
    heard: list[Any] = []
    audit = Audit(tmp_path / "audit", clock=lambda: 0.0)
    audit.hear(lambda event, said: heard.append((event, said)))
    audit.write(Event.HAPPENED, client="ci", nothing=None)
    audit.close()
    assert heard == [(Event.HAPPENED, {"client": "ci"})]
    assert json.loads((tmp_path / "audit").read_text())["client"] == "ci"


def test_a_flood_of_an_event_that_is_counted_is_few_lines_and_loses_nothing(tmp_path: Path) -> None:
    heard: list[Any] = []
    audit = Audit(tmp_path / "audit", clock=lambda: 0.0, counted=[Event.HAPPENED])
    audit.hear(lambda event, said: heard.append(said))
    for number in range(1000):
        audit.write(Event.HAPPENED, client=f"{'n' * 2000}{number}", address="203.0.113.1")
    audit.close()
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text("utf-8").splitlines()]
    assert len(heard) == 1000
    assert [len(line["client"]) for line in lines[:-1]] == [401] * 20
    assert lines[-1] == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "event": "happened",
        "address": "203.0.113.1",
        "more": 980,
        "seconds": 60,
    }
