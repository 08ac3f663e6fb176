"""What a child says on its standard error → lines for a log: few, short, and with nothing that is secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence

LONGEST = 500
"""Characters of a line that are told."""
LINES = 20
"""How many lines are told in one window of time; of more, their number is."""
WINDOW_SECONDS = 10.0
_LOOKED_AT = 2 * LINES
"""How many lines of one piece are looked at: they may be empty."""
_MOST_BYTES = 4 * LONGEST
_SHORTEST_HIDDEN = 6
"""Shorter values stand in many words by chance."""


class StandardError:
    """Tells each line, and how many were left out."""

    def __init__(
        self, tell: Callable[[str], None], hidden: Sequence[str], clock: Callable[[], float]
    ) -> None:
        """hidden: what is shown as ***; clock: seconds, from anywhere."""
        self._tell = tell
        self._hidden = [one for one in hidden if len(one) >= _SHORTEST_HIDDEN]
        self._clock = clock
        self._begun = bytearray()
        self._ends = clock() + WINDOW_SECONDS
        self._told = 0
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        """A piece of it, of any size."""
        *lines, rest = data.split(b"\n", _LOOKED_AT)
        for line in lines:
            self._add(line)
            self._end_line()
        unseen, _, rest = rest.rpartition(b"\n")
        self._left_out += unseen.count(b"\n") + bool(unseen)
        self._add(rest)

    def end(self) -> None:
        """Nothing more will come."""
        self._end_line()
        self._tell_left_out()

    def _add(self, piece: bytes) -> None:
        self._begun += piece[: _MOST_BYTES - len(self._begun)]

    def _end_line(self) -> None:
        line, self._begun = self._begun, bytearray()
        if not line.strip():
            return
        if self._clock() >= self._ends:
            self._tell_left_out()
            self._ends, self._told = self._clock() + WINDOW_SECONDS, 0
        if self._told >= LINES:
            self._left_out += 1
        else:
            self._told += 1
            self._tell(self._shown(line.decode("utf-8", "replace")))

    def _shown(self, text: str) -> str:
        for value in self._hidden:
            text = text.replace(value, "***")
        return "".join(one if one.isprintable() else " " for one in text[:LONGEST]).strip()

    def _tell_left_out(self) -> None:
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self._tell(f"({left_out} more lines)")
