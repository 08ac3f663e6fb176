"""The audit file: one line of JSON an event, in which no secret and no forged line can stand."""

from __future__ import annotations

import json
import stat
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from ostiary.secrets import Secret
from ostiary.telemetry.audit import Audit

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
