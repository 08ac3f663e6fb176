"""What operators read, also in a program that has not set up our logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from ostiary.gateway import record


@pytest.fixture(autouse=True)
def as_structlog_comes() -> Iterator[None]:
    kept = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**kept)


def test_a_crash_tells_where_and_shows_no_local_value(capsys: pytest.CaptureFixture[str]) -> None:
    def crash() -> None:
        token = "secret of the caller".replace(" ", "-")  # so that no line of source holds it
        raise RuntimeError(str(len(token)))

    with pytest.raises(RuntimeError) as crashed:
        crash()
    record.crashed(crashed.value)
    logged = "".join(capsys.readouterr())
    assert "call_crashed" in logged
    assert "RuntimeError: 20" in logged
    assert "secret-of-the-caller" not in logged
