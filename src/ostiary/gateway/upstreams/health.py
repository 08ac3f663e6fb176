"""Whether a server can be reached, as lists see it: one that cannot is left out for a while, and named.

Only what is the server's own counts, whoever calls: that there is no connection, or no HTTP on it, or that
its program does not start. What one call or caller brings about (a slow tool, odd parameters, their
credential) would else hide it from all.
"""

from __future__ import annotations

from collections.abc import Callable

from ostiary.mcp.merging import UnavailableServer
from ostiary.transport.upstream import CallStep

OWN_STEPS = frozenset({CallStep.START, CallStep.RESOLVE, CallStep.CONNECT, CallStep.TLS, CallStep.HTTP})
"""Where it fails for everybody alike."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Health:
    """What is known of one server. Calls always try it; lists skip it until `next_try`."""

    def __init__(self, server: str, clock: Callable[[], float]) -> None:
        self._server = server
        self.clock = clock
        self._pause = FIRST_PAUSE
        self.state: UnavailableServer | None = None

    def succeeded(self) -> None:
        """It answered."""
        if self.state is not None:
            self.state, self._pause = None, FIRST_PAUSE

    def failed(self, step: str) -> None:
        """It did not, at this step. The pause doubles with each failure."""
        if step not in OWN_STEPS:
            return
        now = self.clock()
        since = now if self.state is None else self.state.since
        self.state = UnavailableServer(self._server, step, since, now + self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def missing(self, step: str) -> UnavailableServer:
        """How one list names it that failed at this step: as unreachable, or for this list alone."""
        if self.state is not None and self.state.step == step:
            return self.state
        now = self.clock()
        return UnavailableServer(self._server, step, now, now)

    def skip(self) -> UnavailableServer | None:
        """Why a list should not ask now; None when it should."""
        if self.state is None or self.state.next_try <= self.clock():
            return None
        return self.state
