"""A conversation of MCP 2025-11-25 and before with one process, whose end is the end of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway import record
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.gateway.upstreams.stdio.beginning import LINE_COSTS, STRAY_BYTES
from ostiary.inline_coroutines import kept_if_awaited
from ostiary.transport.upstream import CallerBusy, CallStep

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Postage, Receiver, RequestId
    from ostiary.gateway.upstreams.stdio.program import Program
    from ostiary.gateway.upstreams.stdio.restarts import Restarts
    from ostiary.transport.child_process import ChildProcess
    from ostiary.transport.upstream import Room, UpstreamAnswer
    from ostiary.transport.upstream.turns import Calls

OVER = "its session is over"


class StdioChannel:
    """A Channel over a process of its own."""

    has_own_streams = False
    has_session = True

    def __init__(self, program: Program, receiver: Receiver) -> None:
        self._program = program
        self._receiver = receiver
        self._child: ChildProcess | None = None
        self._restarts: Restarts | None = None
        self._under_way: dict[RequestId, Calls[None]] = {}
        self._stray = 0
        self._is_closed = self._has_ended = False

    async def send(
        self, message: bytes, request: RequestId | None, postage: Postage
    ) -> UpstreamAnswer | None:
        """As of every Channel."""
        self._program.watch()
        if self._child is None and not self._has_ended:
            self._restarts = self._program.restarts_of(postage.account)
            beginning = self._program.begin(self, is_asked=not self._program.is_modern)
            begun = await kept_if_awaited(beginning, lambda begun: begun.child.stop(OVER))
            self._child = begun.child
            self._restarts.started()
        child = self._child
        if child is None or self._is_closed or not child.is_usable:
            self._stop()
            raise ConversationLost
        if request is not None:
            self._under_way[request] = await self._program.turn.come(postage.account, len(message))
        if child.unsent > self._program.limits.waiting_bytes:
            if request is not None:
                self.forget(request)
            raise CallerBusy(self._program.server)
        child.send(message)
        return None

    def agreed(self, version: str) -> None:
        """As of every Channel."""

    async def listen(self, postage: Postage) -> None:
        """As of every Channel: it comes anyway."""

    def stop_listening(self) -> None:
        """As of every Channel."""

    def pause(self, request: RequestId) -> None:
        """As of every Channel: all comes on one stream."""

    def resume(self, request: RequestId) -> None:
        """As of every Channel."""

    def forget(self, request: RequestId) -> None:
        """As of every Channel."""
        calls = self._under_way.pop(request, None)
        if calls is not None:
            self._program.turn.go(calls)

    def close(self, postage: Postage | None = None) -> None:
        """As of every Channel."""
        self._is_closed = True
        for request in [*self._under_way]:
            self.forget(request)
        self._stop()

    # told by the child

    def heard(self, line: bytes, room: Room | None) -> None:
        """A line. While nothing is under way, there is little to say."""
        self._stray = 0 if self._under_way else self._stray + len(line) + LINE_COSTS
        if self._stray > STRAY_BYTES and self._child is not None:
            self._child.kill("it writes on and on what nobody asked for")
        elif not self._is_closed:
            self._receiver.received(line, None, room)

    def said(self, text: str) -> None:
        """A line for the log."""
        record.program_said(self._program.server, text)

    def ended(self, why: str) -> None:
        """It is gone."""
        record.program_ended(self._program.server, why)
        self._has_ended, self._child = True, None
        if not self._is_closed:
            if self._restarts is not None:
                self._restarts.ended(why)
            self._is_closed = True
            self._receiver.closed(self._program.failed(CallStep.ANSWER, f"no answer: {why}"))

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop(OVER)
