"""Which of several workers has what is in memory alone: a session while it is used, a call that waits.

Whatever is named to a client begins with the number of the worker that has it. Another one that is asked for
it hands the request over.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass

from ostiary.mcp.errors import McpError

_KEY_BYTES = 16
NOWHERE = 0xFF
"""For what any process can go on with."""


class Elsewhere(Exception):
    """Another worker has it."""

    def __init__(self, worker: int, lost: McpError) -> None:
        """lost: what it comes to if that one has ended."""
        super().__init__(worker)
        self.worker = worker
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Homes:
    """index: our number; count: how many we are."""

    index: int = 0
    count: int = 1

    def key(self) -> str:
        """A new name of something that is here."""
        if self.count == 1:
            return secrets.token_hex(_KEY_BYTES)
        return f"{self.index:02x}{secrets.token_hex(_KEY_BYTES - 1)}"

    def require_here(self, key: str, lost: McpError) -> None:
        """Raise Elsewhere unless we have what is named so, if anybody does."""
        with contextlib.suppress(ValueError):
            self._require(int(key[:2], 16), lost)

    def marked(self, state: bytes) -> bytes:
        """What is asked for again, with where."""
        return bytes([NOWHERE if self.count == 1 else self.index]) + state

    def unmarked(self, marked: bytes, lost: McpError) -> bytes:
        """The same without. Raises Elsewhere."""
        if marked[0] != NOWHERE:
            self._require(marked[0], lost)
        return marked[1:]

    def _require(self, index: int, lost: McpError) -> None:
        home = index % self.count
        if self.count > 1 and home != self.index:
            raise Elsewhere(home, lost)


ONE_PROCESS = Homes()
