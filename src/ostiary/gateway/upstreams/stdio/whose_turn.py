"""Each caller's share of the calls that are under way at one program, and who is next."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from ostiary.transport.upstream import CallerBusy, CallStep, UpstreamFailed
from ostiary.transport.upstream.limits import UpstreamLimits
from ostiary.transport.upstream.turns import Calls, Turns


class WhoseTurn:
    """Of the callers of one server."""

    def __init__(self, server: str, limits: UpstreamLimits, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._limits = limits
        self._loop = loop
        self._turns: Turns[None] = Turns(server, limits)
        self._under_way = 0

    @property
    def has_waiting(self) -> bool:
        """Whether anybody waits."""
        return bool(self._turns.waiting)

    async def come(self, caller: Hashable, size: int) -> Calls[None]:
        """Wait until one more call, of this size, may be under way: those of this caller, for `go`.

        An inline coroutine. Raises CallerBusy, UpstreamFailed.
        """
        calls = self._turns.callers.get(caller) or self._turns.begin(caller)
        deadline = self._loop.time() + self._limits.timeout
        while (
            self._under_way >= self._limits.connections or calls.under_way >= self._limits.caller_connections
        ):
            await self._turns.wait(calls, deadline, size)
        calls.under_way += 1
        self._under_way += 1
        return calls

    def go(self, calls: Calls[None]) -> None:
        """A call is over."""
        calls.under_way -= 1
        self._under_way -= 1
        waiter = self._turns.next()
        if waiter is not None:
            waiter.set(None)

    def sweep(self) -> None:
        """Send away who waited too long; called a few times a second."""
        for calls, waiter in self._turns.overdue(self._loop.time()):
            waiter.fail(self._no_turn(calls))
        self._turns.forget()

    def _no_turn(self, calls: Calls[None]) -> Exception:
        """Nothing came free in time: because of the caller's own calls, or because of everybody's."""
        if calls.under_way >= self._limits.caller_connections:
            return CallerBusy(self._server)
        reason = f"no turn came within {self._limits.timeout:g} s"
        return UpstreamFailed(self._server, CallStep.TIMEOUT, reason)
