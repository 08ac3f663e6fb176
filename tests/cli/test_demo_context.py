"""How other commands find the running demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.cli.demo_context import demo_credential, demo_directory, leave_context

URL = "http://127.0.0.1:8080/mcp"
CREDENTIAL = {"type": "google_id_token"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OSTIARY_STATE_DIR", str(tmp_path))
    return tmp_path


def test_a_running_demo_is_found_by_its_url_and_gone_when_it_stops() -> None:
    with demo_directory() as directory:
        leave_context(directory, {URL: CREDENTIAL})
        assert demo_credential(URL) == CREDENTIAL
        assert demo_credential("http://127.0.0.1:9999/mcp") is None
    assert demo_credential(URL) is None
    assert not directory.exists()


def test_only_its_user_can_read_it() -> None:
    with demo_directory() as directory:
        leave_context(directory, {URL: CREDENTIAL})
        assert (directory.stat().st_mode & 0o777, (directory / "context.json").stat().st_mode & 0o777) == (
            0o700,
            0o600,
        )


def test_what_a_dead_process_left_counts_for_nothing_and_is_swept(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    left = state / f"demo-{dead.pid}"
    left.mkdir()
    leave_context(left, {URL: CREDENTIAL})
    assert demo_credential(URL) is None
    with demo_directory():
        assert not left.exists()


@pytest.mark.parametrize("content", ["", "{", '{"credentials": 5}', "[]"])
def test_a_context_that_cannot_be_read_counts_for_nothing(content: str) -> None:
    with demo_directory() as directory:
        (directory / "context.json").write_text(content)
        assert demo_credential(URL) is None
