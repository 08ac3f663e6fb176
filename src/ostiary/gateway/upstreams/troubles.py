"""What the log tells of a server that fails: when it begins and when it is over, and not for each call."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.gateway import record
from ostiary.gateway.errors import BadAnswer, CredentialRefused, GatewayError, ServerBusy

QUIET_SECONDS = 60.0
"""For how long the same trouble is not told again, though it was over meanwhile: one caller's calls may fail
while another's do not."""
_OF_AN_ANSWER = frozenset({BadAnswer.code, CredentialRefused.code, ServerBusy.code})
"""What a server is told to do that does answer: another answer of any kind says nothing about it."""

Trouble = tuple[int, str]
"""A kind of error, and the step at which it comes."""


class Troubles:
    """Those of one server. clock: in seconds."""

    __slots__ = ("_clock", "_is_told", "_server", "_told", "open")

    def __init__(self, server: str, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._told: dict[Trouble, float] = {}
        self._is_told = False
        self.open: dict[Trouble, None] = {}
        """Those that are not over."""

    def tell(self, error: GatewayError) -> None:
        """It failed so. Told when it had not before."""
        trouble = error.code, error.step
        if trouble in self.open:
            return
        self.open[trouble] = None
        now = self._clock()
        if now - self._told.get(trouble, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._told[trouble], self._is_told = now, True
            record.server_failed(self._server, error)

    def answered(self) -> None:
        """It gave an answer of some kind: it is there, and so was its credential."""
        self._end({trouble for trouble in self.open if trouble[0] not in _OF_AN_ANSWER})

    def answered_well(self) -> None:
        """It gave an answer that is one."""
        self._end(set(self.open))

    def _end(self, over: set[Trouble]) -> None:
        for trouble in over:
            del self.open[trouble]
        if self._is_told and not self.open:
            self._is_told = False
            record.server_recovered(self._server)
