"""Bytes → lines, of a bounded length. However they are cut, each byte is looked at once."""

from __future__ import annotations


class LineTooLong(Exception):
    """A line is longer than is held."""


class LineReader:
    """Reads a byte stream into lines without their breaks. Empty ones are none."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._begun = bytearray()

    @property
    def held(self) -> int:
        """How much there is of a line that has not ended."""
        return len(self._begun)

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that this piece ends. Raises LineTooLong."""
        first, *others = piece.split(b"\n")
        self._begun += first
        if len(self._begun) > self._most:
            raise LineTooLong
        if not others:
            return []
        if max(map(len, others)) > self._most:
            raise LineTooLong
        *whole, rest = others
        begun, self._begun = self._begun, bytearray(rest)
        return [line for line in (bytes(begun.rstrip(b"\r")), *(one.rstrip(b"\r") for one in whole)) if line]
