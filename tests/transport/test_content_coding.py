"""Which answers are compressed."""

from __future__ import annotations

import pytest

from ostiary.transport.content_coding import compression


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip", "gzip"),
        (" GZIP", "gzip"),
        ("br", "br"),
        ("identity, deflate", "identity, deflate"),
        ("a secret that comes back", "an unknown coding"),
        ("identity", None),
        ("Identity", None),
        ("", None),
        ("none", None),
        ("UTF-8", None),
    ],
)
def test_a_coding_that_changes_no_byte_is_no_reason_to_refuse(header: str, coding: str | None) -> None:
    assert compression(header) == coding
