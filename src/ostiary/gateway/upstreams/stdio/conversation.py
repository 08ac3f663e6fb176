"""Calls of modern MCP with one process: many at once on one stream, told apart by their ids.

What is nobody's is dropped, and bounded: who writes on and on what nobody asked for is ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ostiary.gateway import record
from ostiary.gateway.upstreams.stdio.beginning import LINE_COSTS, STRAY_BYTES, discover
from ostiary.gateway.upstreams.stdio.call import PendingCall
from ostiary.inline_coroutines import InlineFuture
from ostiary.mcp.errors import McpError, MethodNotFound
from ostiary.mcp.multiplexed import Multiplexed, status_of, whose, with_progress_token
from ostiary.mcp.server_message import ServerMessage, read_server_message
from ostiary.transport.upstream import CallerBusy, CallStep, UpstreamAnswer, UpstreamFailed

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.stdio.program import Program
    from ostiary.transport.child_process import ChildProcess
    from ostiary.transport.upstream import Room

STRAY_BYTES_A_SECOND = 64 * 1024
"""Of what is nobody's, so much is forgiven."""
KEEP_ALIVE_SECONDS = 15.0
_ALIVE = b'"alive"'
"""No caller's id: theirs are numbers."""
_LOG_MESSAGE = b'"notifications/message"'
_ACKNOWLEDGED = b'"notifications/subscriptions/acknowledged"'


class Conversation:
    """What a child process says is heard here. on_end: called when it has ended, with why."""

    def __init__(
        self, program: Program, on_end: Callable[[Conversation, str], None], *, is_shared: bool
    ) -> None:
        """is_shared: whether its calls are of several callers, so that nothing is guessed."""
        self.loop_share = program.loop_share
        self.timeout = program.limits.timeout
        self.calls: dict[bytes, PendingCall] = {}
        self.idle_since = program.loop.time()
        self._program = program
        self._on_end = on_end
        self._is_shared = is_shared
        self._stray = 0.0
        self._has_junk = False
        self._heard_at = 0.0
        self._kept_alive_at = 0.0
        self._child: ChildProcess | None = None
        self._why: str | None = None

    def begin(self, child: ChildProcess) -> None:
        """Have it with this process."""
        self._child = child

    @property
    def is_usable(self) -> bool:
        """Whether it may be asked something."""
        return self._child is not None and self._child.is_usable

    def ask(
        self,
        request: Multiplexed,
        most_bytes: int,
        done: Callable[[], None],
        timeout: float | None = None,
    ) -> InlineFuture[UpstreamAnswer]:
        """Send a request: its answer. Raises CallerBusy when too much waits to be read already.

        timeout: seconds, where it is not what all others have.
        """
        child = self._child
        if child is None or self._why is not None:
            raise self._no_answer()
        if child.unsent > self._program.limits.waiting_bytes:
            raise CallerBusy(self._program.server)
        call = PendingCall(self, request, most_bytes, done, timeout)
        self.calls[request.id] = call
        child.send(request.line)
        return call.future

    def stop(self, why: str) -> None:
        """End the process, which nobody wants any more."""
        if self._child is not None:
            self._child.stop(why)

    def sweep(self) -> None:
        """Tell those who waited too long; called a few times a second."""
        now = self.now
        for call in [call for call in self.calls.values() if call.deadline <= now]:
            self._overdue(call)
        if now - self._kept_alive_at > KEEP_ALIVE_SECONDS:
            self._kept_alive_at = now
            for call in self.calls.values():
                if call.is_subscription:
                    call.keep_alive()

    # told by calls

    @property
    def now(self) -> float:
        """By the event loop's clock."""
        return self._program.loop.time()

    def drop(self, call: PendingCall) -> None:
        """Its caller has left."""
        if self._remove(call.request.id) is not None:
            self._cancel(call, "the caller has left")

    def failed(self, step: CallStep, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""
        return self._program.failed(step, reason)

    # told by the child

    def heard(self, line: bytes, room: Room | None) -> None:
        before, self._heard_at = self._heard_at, self.now
        try:
            message = read_server_message(line)
            is_somebodys = self._take(message, line, room)
        except McpError:
            is_somebodys = False
            self._note_junk(line)
        if is_somebodys:
            self._stray = 0.0
            return
        forgiven = (self._heard_at - before) * STRAY_BYTES_A_SECOND
        self._stray = max(0.0, self._stray - forgiven) + len(line) + LINE_COSTS
        if self._stray > STRAY_BYTES:
            self._kill("it writes on and on what nobody asked for")

    def said(self, text: str) -> None:
        record.program_said(self._program.server, text)

    def ended(self, why: str) -> None:
        self._why = why
        record.program_ended(self._program.server, why)
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.fail(self._no_answer())
        self._on_end(self, why)

    # inside

    def _send(self, line: bytes) -> None:
        if self._child is not None:
            self._child.send(line)

    def _kill(self, why: str) -> None:
        if self._child is not None:
            self._child.kill(why)

    def _no_answer(self) -> UpstreamFailed:
        return self.failed(CallStep.ANSWER, f"no answer: {self._why}")

    def _take(self, message: ServerMessage, line: bytes, room: Room | None) -> bool:
        """Give it to whom it is for. Raises McpError for what is no message."""
        if message.is_request:
            return self._refuse(message)
        if message.has_method:
            return self._notify(message)
        message.answer_to(bytes(message.id))
        call = self._remove(bytes(message.id))
        if call is None:
            return False
        call.answer(line, status_of(message.error) if message.error else 200, room)
        return True

    def _notify(self, message: ServerMessage) -> bool:
        message_id = whose(message)
        if message_id is None:
            call = self._wants_log() if bytes(message.method) == _LOG_MESSAGE else None
        else:
            call = self.calls.get(message_id)
        if call is None:
            return False
        if bytes(message.method) == _ACKNOWLEDGED:
            call.is_subscription, call.deadline = True, float("inf")
        elif not call.is_subscription:
            call.deadline = self.now + call.timeout
        call.notify(with_progress_token(message, call.request.progress_token))
        return True

    def _wants_log(self) -> PendingCall | None:
        """Whose a line of the log is, which says of no request that it belongs there. No listener's."""
        calls = self.calls.values()
        wanting = [call for call in calls if call.request.wants_log and not call.is_subscription]
        if self._is_shared and len(self.calls) > 1:
            return None
        return wanting[0] if wanting else None

    def _refuse(self, message: ServerMessage) -> bool:
        """A modern server asks nothing; one that does all the same is not left waiting."""
        error = MethodNotFound(
            "a server of MCP 2026-07-28 asks its client nothing: answer with input_required"
        )
        self._send(error.to_json(bytes(message.id)))
        return False

    def _cancel(self, call: PendingCall, reason: str) -> None:
        params = b'{"requestId":%s,"reason":%s}' % (call.request.id, msgspec.json.encode(reason))
        self._send(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%s}' % params)

    def _overdue(self, call: PendingCall) -> None:
        if call.request.id == _ALIVE:
            self._kill("it answers nothing")
            return
        self._remove(call.request.id)
        self._cancel(call, "it took too long")
        if self._heard_at <= call.sent_at and _ALIVE not in self.calls:
            self._ask_whether_it_lives()
        call.fail(self.failed(CallStep.TIMEOUT, f"no answer within {call.timeout:g} s"))

    def _ask_whether_it_lives(self) -> None:
        request = Multiplexed(_ALIVE, None, wants_log=False, line=discover(_ALIVE))
        try:
            self.ask(request, self._program.limits.answer_bytes, lambda: None)
        except (CallerBusy, UpstreamFailed):
            self._kill("it reads nothing")

    def _remove(self, message_id: bytes) -> PendingCall | None:
        call = self.calls.pop(message_id, None)
        if not self.calls:
            self.idle_since = self.now
        return call

    def _note_junk(self, line: bytes) -> None:
        if not self._has_junk:
            self._has_junk = True
            self.said(
                "(a line of its standard output is no MCP, and is passed over, as are all further ones)"
            )
