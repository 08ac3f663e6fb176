"""Whether a server can be reached, as lists and calls see it: one that cannot is left alone for a while.

Only what is the server's own counts, whoever calls: that there is no connection, or no HTTP on it, or that
its program does not start. What one call or caller brings about (a slow tool, odd parameters, their
credential) would else hide it from all.

Lists leave it out at once, and name it. Calls try it all the same until it has failed so often in a row that
they are answered at once, too (the circuit is open). After each pause one call, or list, tries it for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ostiary.mcp.merging import UnavailableServer
from ostiary.transport.upstream import CallStep

OWN_STEPS = frozenset({CallStep.START, CallStep.RESOLVE, CallStep.CONNECT, CallStep.TLS, CallStep.HTTP})
"""Where it fails for everybody alike."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
TRIAL_SECONDS = 5.0
"""For so long others wait for the call that tries it; then another one does."""


class Health:
    """What is known of one server. clock: seconds since the epoch."""

    def __init__(
        self,
        server: str,
        clock: Callable[[], float],
        *,
        most_failures: int = 0,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """most_failures: after so many in a row calls are answered at once; 0 for never."""
        self._server = server
        self.clock = clock
        self._most_failures = most_failures
        self._longest_pause = longest_pause
        self._pause = FIRST_PAUSE
        self._failures = 0
        self._is_tried = False
        self.state: UnavailableServer | None = None

    def succeeded(self) -> None:
        """It answered."""
        if self.state is not None:
            self.state, self._pause, self._failures, self._is_tried = None, FIRST_PAUSE, 0, False

    def failed(self, step: str, *, is_check: bool = False) -> None:
        """It did not, at this step. Each pause is twice the one before.

        is_check: whether it was asked what every server answers at once.
        """
        if step not in OWN_STEPS and not is_check:
            return
        self._failures += 1
        if self._rests() and not self._is_tried:
            return  # what was under way when the pause began says nothing new
        now = self.clock()
        since = now if self.state is None else self.state.since
        pause = min(self._pause, self._longest_pause)
        self.state = UnavailableServer(self._server, step, since, now + pause)
        self._pause, self._is_tried = 2 * pause, False

    def missing(self, step: str) -> UnavailableServer:
        """How one list names it that failed at this step: as unreachable, or for this list alone."""
        if self.state is not None and self.state.step == step:
            return self.state
        now = self.clock()
        return UnavailableServer(self._server, step, now, now)

    def skip(self) -> UnavailableServer | None:
        """Why a list should not ask now; None when it should."""
        return self.state if self._rests() else None

    def refuse(self) -> UnavailableServer | None:
        """Why a call is not sent now; None when it is. What is sent after a pause is sent for all."""
        state = self.state
        if state is None or not self._most_failures or self._failures < self._most_failures:
            return None
        if self._rests():
            return state
        self._is_tried, self.state = True, replace(state, next_try=self.clock() + TRIAL_SECONDS)
        return None

    def _rests(self) -> bool:
        """A clock that was set back ends the pause."""
        if self.state is None:
            return False
        left = self.state.next_try - self.clock()
        return 0 < left <= max(self._longest_pause, TRIAL_SECONDS)
