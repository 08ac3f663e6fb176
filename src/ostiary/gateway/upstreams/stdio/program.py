"""How processes of one server's command are begun, and how many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
        self._command = command
        self._children = children
        self._most_processes = most_processes
        self._processes = 0
        self._spare: Begun | None = None
        self._restarts = Restarts(self.loop.time)

    @hopping
    async def begin(self, hearer: Hearer) -> Begun:
        """A process that has begun, and is heard by `hearer`. Raises UpstreamFailed, CallerBusy."""
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
            begun = await self._begin()
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

    async def _begin(self) -> Begun:
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
        child.send(discover(ID))
        try:
            async with asyncio.timeout(self.limits.timeout):
                return Begun(child, await beginning.first_word)
        except TimeoutError:
            return Begun(child, None)
        except BaseException:
            child.stop("nobody waits for it any more")
            raise

    def _is_gone(self, _: asyncio.Future[None]) -> None:
        self._processes -= 1


def again_in(pause: float) -> str:
    """When a process may be started again, in words."""
    return f"it is started again in {max(1, round(pause))} s at the earliest"
