"""Whose turn it is at one server, when not everybody can be served at once.

Each caller has a share of the connections, and calls beyond it wait in a queue of their own, which is bounded
too. Callers take turns, so that nobody waits behind another's queue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from itertools import takewhile
from typing import Generic, NamedTuple, TypeVar

from ostiary.inline_coroutines import InlineFuture
from ostiary.transport.upstream.errors import CallerBusy
from ostiary.transport.upstream.limits import UpstreamLimits

Connection = TypeVar("Connection")


class Turn(NamedTuple):
    """Of a call that waits: until when, and how many bytes it holds."""

    deadline: float
    size: int


class Calls(Generic[Connection]):
    """Those of one caller: how many are under way, and which wait, the oldest first."""

    __slots__ = ("under_way", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: OrderedDict[InlineFuture[Connection | None], Turn] = OrderedDict()
        self.waiting_bytes = 0


class Turns(Generic[Connection]):
    """Of all callers of one server."""

    def __init__(self, server: str, limits: UpstreamLimits) -> None:
        self._server = server
        self._limits = limits
        self.callers: dict[Hashable, Calls[Connection]] = {}
        self.waiting: OrderedDict[Calls[Connection], None] = OrderedDict()
        """Callers of whom something waits; whose turn it was goes to the end."""
        self._queued = 0

    def begin(self, caller: Hashable) -> Calls[Connection]:
        """Those of a caller of whom there was nothing."""
        calls = self.callers[caller] = Calls()
        return calls

    def wait(self, calls: Calls[Connection], deadline: float, size: int) -> InlineFuture[Connection | None]:
        """Line up: for a connection, or None when one may be opened.

        Raises CallerBusy when the queue is full; one call may wait however long it is.
        """
        limits = self._limits
        is_long = calls.waiting_bytes + size > limits.waiting_bytes
        if len(calls.waiting) >= limits.waiting_calls or (calls.waiting and is_long):
            raise CallerBusy(self._server)
        if self._queued >= limits.queue and (calls.waiting or self._queued >= 2 * limits.queue):
            raise CallerBusy(self._server, "too many calls wait there")
        future: InlineFuture[Connection | None] = InlineFuture(lambda: self._leave(calls, future))
        calls.waiting[future] = Turn(deadline, size)
        self._queued += 1
        calls.waiting_bytes += size
        self.waiting[calls] = None
        return future

    def next(self) -> InlineFuture[Connection | None] | None:
        """Of the callers who may have one more call under way, the next one's oldest; None without one."""
        most = self._limits.caller_connections
        calls = next((calls for calls in self.waiting if calls.under_way < most), None)
        if calls is None:
            return None
        self.waiting.move_to_end(calls)
        future = next(iter(calls.waiting))
        self._leave(calls, future)
        return future

    def overdue(self, now: float) -> list[tuple[Calls[Connection], InlineFuture[Connection | None]]]:
        """Those who waited too long; they wait no more."""
        late = [
            (calls, future)
            for calls in self.waiting
            for future, _ in takewhile(lambda item: item[1].deadline <= now, calls.waiting.items())
        ]
        for calls, future in late:
            self._leave(calls, future)
        return late

    def forget(self) -> None:
        """Forget callers of whom there is nothing."""
        nothing = [
            caller for caller, calls in self.callers.items() if not calls.under_way and not calls.waiting
        ]
        for caller in nothing:
            del self.callers[caller]

    def _leave(self, calls: Calls[Connection], future: InlineFuture[Connection | None]) -> None:
        turn = calls.waiting.pop(future, None)
        if turn is not None:
            calls.waiting_bytes -= turn.size
            self._queued -= 1
            if not calls.waiting:
                del self.waiting[calls]
