"""How processes of one server's command are begun, and how many there are."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from ostiary.gateway import record
from ostiary.gateway.upstreams.stdio.beginning import ID, Beginning, Ended, Spare, discover
from ostiary.gateway.upstreams.stdio.restarts import Restarts
from ostiary.gateway.upstreams.stdio.whose_turn import WhoseTurn
from ostiary.inline_coroutines import hopping
from ostiary.transport.child_process import ChildNotStarted
from ostiary.transport.upstream import CallerBusy, CallStep, UpstreamFailed
from ostiary.transport.upstream.held import HeldAnswers
from ostiary.transport.upstream.loop_share import LoopShare

if TYPE_CHECKING:
    from ostiary.transport.child_process import ChildProcess, Children, Command, Hearer
    from ostiary.transport.upstream import UpstreamLimits


SWEEP_SECONDS = 0.25
REMEMBERED = 256
"""Of how many callers is known how their processes fared."""


class Begun(NamedTuple):
    """A process that has begun. answer: what it says to `server/discover`; None when it says nothing."""

    child: ChildProcess
    answer: bytes | None


class Program:
    """One command, and its processes."""

    def __init__(
        self, server: str, command: Command, children: Children, limits: UpstreamLimits, most_processes: int
    ) -> None:
        self.server = server
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.held = HeldAnswers(limits.held_bytes)
        self.loop_share = LoopShare(self.loop)
        self.turn = WhoseTurn(server, limits, self.loop)
        self.make_room: list[Callable[[], bool]] = []
        """What stops one idle process, and says whether there was one."""
        self.sweeps: list[Callable[[], bool]] = []
        """What is done a few times a second, and says whether it wants to be again."""
        self._command = command
        self._children = children
        self._most_processes = most_processes
        self._processes = 0
        self._spare: Begun | None = None
        self.is_modern = False
        """Whether it spoke MCP 2026-07-28 when it was last asked."""
        self._is_silent = False
        """Whether it answers no `server/discover`, so that it is not asked again."""
        self._restarts = Restarts(self.loop.time)
        self._restarts_of: OrderedDict[Hashable, Restarts] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None

    @hopping
    async def begin(self, hearer: Hearer, *, is_asked: bool = True) -> Begun:
        """A process that has begun, and is heard by `hearer`. Raises UpstreamFailed, CallerBusy.

        is_asked: whether it is asked for its era; one that speaks both settles on the first that it hears.
        """
        spare, self._spare = self._spare, None
        if spare is not None and spare.child.is_usable:
            spare.child.hearer = hearer
            return spare
        pause = self._restarts.pause
        if pause > 0:
            raise self.failed(CallStep.START, f"{self._restarts.why}; {again_in(pause)}")
        if self._processes >= self._most_processes and not any(make() for make in self.make_room):
            busy = f"all {self._most_processes} processes of it are at work"
            raise CallerBusy(self.server, busy)
        self._processes += 1
        try:
            begun = await self._begin(is_asked=is_asked and not self._is_silent)
        except (ChildNotStarted, Ended) as error:
            self._processes -= 1
            reason = str(error) if isinstance(error, ChildNotStarted) else f"it does not start: {error}"
            self._restarts.failed(reason)
            raise self.failed(CallStep.START, reason) from None
        except BaseException:
            self._processes -= 1
            raise
        self._restarts.works()
        begun.child.gone.add_done_callback(self._is_gone)
        begun.child.hearer = hearer
        return begun

    def restarts_of(self, account: Hashable) -> Restarts:
        """Those of one caller's process, for those who called last. Raises UpstreamFailed during a pause."""
        restarts = self._restarts_of.setdefault(account, Restarts(self.loop.time))
        self._restarts_of.move_to_end(account)
        if len(self._restarts_of) > REMEMBERED:
            self._restarts_of.popitem(last=False)
        if restarts.pause > 0:
            raise self.failed(CallStep.ANSWER, f"{restarts.why}; {again_in(restarts.pause)}")
        return restarts

    def watch(self) -> None:
        """Have time-outs seen to."""
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """Let go of what nobody uses."""
        self.drop_spare()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def put_back(self, begun: Begun) -> None:
        """Nothing of a caller's has been said to it: the next who wants one has it."""
        if self._spare is not None:
            self._spare.child.stop("there is another")
        self._spare = begun
        begun.child.hearer = Spare(self.server, self.drop_spare)

    def drop_spare(self) -> None:
        """Stop the one that nobody wants."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.child.stop("nobody wants it")

    def failed(self, step: CallStep, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""
        return UpstreamFailed(self.server, step, reason)

    async def _begin(self, *, is_asked: bool) -> Begun:
        beginning = Beginning(self.server, self.loop)
        child = await self._children.start(
            self._command,
            beginning,
            most_bytes=self.limits.answer_bytes,
            held=self.held,
            loop_share=self.loop_share,
        )
        beginning.child = child
        record.program_started(self.server)
        if not is_asked:
            return Begun(child, None)
        child.send(discover(ID))
        try:
            async with asyncio.timeout(self.limits.timeout):
                return Begun(child, await beginning.first_word)
        except TimeoutError:
            self._is_silent = True
            return Begun(child, None)
        except BaseException:
            child.stop("nobody waits for it any more")
            raise

    def _sweep(self) -> None:
        self._sweeper = None
        self.turn.sweep()
        again = [sweep() for sweep in self.sweeps]
        if any(again) or self.turn.has_waiting:
            self.watch()

    def _is_gone(self, _: asyncio.Future[None]) -> None:
        self._processes -= 1


def again_in(pause: float) -> str:
    """When a process may be started again, in words."""
    return f"it is started again in {max(1, round(pause))} s at the earliest"
