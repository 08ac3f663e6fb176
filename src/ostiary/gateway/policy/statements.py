"""The text of a file → its policies, each with the line on which it begins.

Cedar says of a fault which policy it is in, and not where that stands. So each is read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 32 * 1024
"""Characters of one policy."""
DEEPEST = 64
"""Brackets within brackets: a parser that goes down with each of them ends with its stack."""
_WORD = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|[;(){}\[\]]|[^\s";(){}\[\]/]+|\s+|.', re.DOTALL)
_IS_NOTHING = re.compile(r"\s|//")


class StatementTooLarge(ValueError):
    """It is longer, or deeper, than a policy may be. line: where it begins."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy as it was written. line: of its first word, from 1."""

    text: str
    line: int

    def line_of(self, word: str) -> int | None:
        """Where a word stands in it first."""
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.text) if word else None
        return None if found is None else self.line + self.text.count("\n", 0, found.start())

    @property
    def last_line(self) -> int:
        """Where it ends."""
        return self.line + self.text.rstrip().count("\n")


def read_statements(text: str) -> Iterator[Statement]:
    """The policies of a file; the last may lack its semicolon. Raises StatementTooLarge."""
    begin: int | None = None
    line = begun_on = 1
    depth = 0
    for match in _WORD.finditer(text):
        word = match[0]
        if begin is None and not _IS_NOTHING.match(word):
            begin, begun_on, depth = match.start(), line, 0
        if begin is not None:
            depth += (word in "([{") - (word in ")]}") if len(word) == 1 else 0
            _require_small(match.end() - begin, depth, begun_on)
            if word == ";":
                yield Statement(text[begin : match.end()], begun_on)
                begin = None
        line += word.count("\n")
    if begin is not None:
        yield Statement(text[begin:].rstrip(), begun_on)


def _require_small(length: int, depth: int, line: int) -> None:
    if length > LONGEST:
        raise StatementTooLarge(f"a policy is longer than {LONGEST} characters: make several of it", line)
    if depth > DEEPEST:
        raise StatementTooLarge(f"more than {DEEPEST} brackets stand in one another: make it flatter", line)
