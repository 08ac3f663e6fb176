"""Which tools are about what somebody looks for: ranked by words, with SQLite's own full-text index (FTS5).

Names weigh more than descriptions, and these more than the names of arguments (BM25). An index is in memory,
of one list, and nobody's but theirs who see that list.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

MOST_WORDS = 32
"""Of what is looked for."""
LONGEST_TEXT = 8 * 1024
"""Characters of a description, and of the names of arguments, that are looked at."""
_TABLE = (
    "CREATE VIRTUAL TABLE tools USING fts5(name, title, description, arguments, tokenize='porter unicode61')"
)
_FOUND = "SELECT rowid FROM tools WHERE tools MATCH ? ORDER BY bm25(tools, 10, 6, 3, 1), rowid LIMIT ?"
_IDLE = frozenset(
    "a an and by for from how in is it of on or that the this to what which with".split()  # noqa: SIM905
)
"""Words that are about nothing."""
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class ToolIndex:
    """Of tools by their names here. Made and asked in threads, one at a time."""

    def __init__(self, tools: Mapping[str, bytes]) -> None:
        """tools: name → the JSON of the tool."""
        self._names = list(tools)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(_TABLE)
        rows = ((number, *_texts(name, text)) for number, (name, text) in enumerate(tools.items()))
        self._database.executemany(
            "INSERT INTO tools(rowid, name, title, description, arguments) VALUES (?, ?, ?, ?, ?)", rows
        )

    def find(self, query: str, most: int) -> list[str]:
        """The names of tools that have any of these words, or words that begin with one; the best first."""
        words = dict.fromkeys(word for word in map(str.lower, _words(query)) if word not in _IDLE)
        if not words:
            return []
        wanted = " OR ".join(f'"{word}"*' for word in list(words)[:MOST_WORDS])
        with self._lock:
            rows = self._database.execute(_FOUND, (wanted, most)).fetchall()
        return [self._names[row] for (row,) in rows]


def _texts(name: str, text: bytes) -> tuple[str, str, str, str]:
    tool: dict[str, Any] = msgspec.json.decode(text)
    annotations = tool.get("annotations")
    title = tool.get("title") or (annotations.get("title") if isinstance(annotations, dict) else "")
    schema = tool.get("inputSchema")
    arguments = schema.get("properties") if isinstance(schema, dict) else None
    return (
        _split(name),
        _split(title),
        _split(tool.get("description")),
        _split(" ".join(arguments) if isinstance(arguments, dict) else ""),
    )


def _split(text: object) -> str:
    """In words, as the index has them: of `getAnimalByName` these are four."""
    return " ".join(_words(text[:LONGEST_TEXT])) if isinstance(text, str) else ""


def _words(text: str) -> Iterable[str]:
    return _WORD.findall(_HUMP.sub(" ", text))
