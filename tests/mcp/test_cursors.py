"""A cursor says itself where the next page begins."""

from __future__ import annotations

import base64
import hashlib

import msgspec
import pytest

from ostiary.mcp.cursors import LONGEST, Cursor, read_cursor
from ostiary.mcp.errors import InvalidParams

CURSOR = Cursor("tools/list", "zoo", 7, "0123456789abcdef")


def with_checksum(said: object) -> str:
    text = msgspec.json.encode(said)
    checksum = hashlib.sha256(b"ostiary cursor 1\n" + text).digest()[:8]
    return base64.urlsafe_b64encode(text + checksum).decode()


def test_a_cursor_is_read_as_it_was_written() -> None:
    written = CURSOR.written()
    assert read_cursor(written, "tools/list") == CURSOR
    assert written.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_of_the_longest_names_is_one() -> None:
    longest = Cursor("resources/templates/list", "z" * 40, 10**9, "f" * 16)
    assert len(longest.written()) < LONGEST
    assert read_cursor(longest.written(), longest.method) == longest


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidParams, match="this cursor is of tools/list, and not of prompts/list"):
        read_cursor(CURSOR.written(), "prompts/list")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "größe",
        "=" * 20,
        CURSOR.written()[:-1],
        CURSOR.written()[:-2] + "AA",
        "A" + CURSOR.written(),
        CURSOR.written() * 20,
        "A" * 4_000_000,
        with_checksum(["tools/list", "zoo", -1, "x"]),
        with_checksum(["tools/list", "zoo", 1.5, "x"]),
        with_checksum(["tools/list", "zoo"]),
        with_checksum({"method": "tools/list"}),
        with_checksum(7),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams, match="this cursor is none of ours: begin again without one"):
        read_cursor(text, "tools/list")
