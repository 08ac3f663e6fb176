"""What operators read, also in a program that has not set up our logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ostiary.gateway import record


@contextmanager
def nobody_set_up_logs() -> Iterator[None]:
    root = logging.getLogger()
    kept, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = kept


def test_a_crash_tells_where_and_shows_no_local_value(capsys: pytest.CaptureFixture[str]) -> None:
    def crash() -> None:
        token = "secret of the caller".replace(" ", "-")  # so that no line of source holds it
        raise RuntimeError(str(len(token)))

    with pytest.raises(RuntimeError) as crashed:
        crash()
    with nobody_set_up_logs():
        record.crashed(crashed.value)
    logged = "".join(capsys.readouterr())
    assert "call_crashed" in logged
    assert "RuntimeError: 20" in logged
    assert "secret-of-the-caller" not in logged
