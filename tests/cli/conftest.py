"""The command line, in this process: quick, and every exit as the shell would see it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from ostiary.cli.app import run


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Ostiary = Callable[..., Outcome]


@pytest.fixture
def ostiary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ostiary]:
    """Run a command line in an empty directory, with a state directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSTIARY_STATE_DIR", str(tmp_path / "state"))
    root, ours = logging.getLogger(), logging.getLogger("ostiary")
    before = (root.handlers[:], root.level, ours.level)

    def command(*words: str) -> Outcome:
        code = run(words)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    yield command
    root.handlers[:], root.level, ours.level = before
    structlog.reset_defaults()
