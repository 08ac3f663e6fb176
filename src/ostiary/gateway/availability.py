"""Whether a server answers, as lists see it: one that failed is left out for a while, and named."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.mcp.merging import Unavailable

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Availability:
    """What is known of one server. Calls always try it; lists skip it until `next_try`."""

    def __init__(self, server: str, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._pause = FIRST_PAUSE
        self.state: Unavailable | None = None

    def succeeded(self) -> None:
        """It answered."""
        if self.state is not None:
            self.state, self._pause = None, FIRST_PAUSE

    def failed(self, step: str) -> Unavailable:
        """It did not, at this step. The pause doubles with each failure."""
        now = self._clock()
        since = now if self.state is None else self.state.since
        self.state = Unavailable(self._server, step, since, now + self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self.state

    def skip(self) -> Unavailable | None:
        """Why a list should not ask now; None when it should."""
        if self.state is None or self.state.next_try <= self._clock():
            return None
        return self.state
