"""Retry-After, RFC 9110 section 10.2.3."""

from __future__ import annotations

import pytest

from ostiary.transport.retry_after import retry_after

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_seconds_or_a_date_tell_how_long_to_wait(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds
