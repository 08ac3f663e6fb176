"""One request that a legacy server works on, and the modern caller who waits for its answer.

The caller is answered whole where the answer is all that comes, and on a stream where something comes before
it. A question of the server ends the caller's request, but not the server's: it is parked, until the caller's
next request brings what was said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ostiary.gateway import record
from ostiary.gateway.errors import BadAnswer, GatewayError
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.gateway.upstreams.legacy.open_questions import MOST, REFUSED, OpenQuestions
from ostiary.inline_coroutines import InlineFuture, InlineRunner
from ostiary.mcp.elicitation import ASKING_METHODS
from ostiary.mcp.eras import LOG_LEVEL_KEY, PROGRESS_KEY
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.events import KEEP_ALIVE, write_event
from ostiary.mcp.legacy_answers import (
    STATUS_OF_CODE,
    URL_ELICITATION_REQUIRED,
    error_code,
    modern_error,
    modern_result,
    pages_to_open,
)
from ostiary.mcp.legacy_notices import level_of
from ostiary.mcp.legacy_requests import legacy_request
from ostiary.mcp.messages import Message, read_answer, write_answer
from ostiary.mcp.questions import input_required, is_accepted, question, responses
from ostiary.mcp.raw_object import Raw, write_object
from ostiary.mcp.request_state import what_is_asked
from ostiary.transport.upstream import CallerBusy, CallStep, Room, Stream, UpstreamAnswer, UpstreamFailed
from ostiary.transport.upstream.loop_share import LoopShare

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Channel, Postage, RequestId
    from ostiary.gateway.upstreams.legacy.parked_calls import ParkedCalls

JSON = {b"content-type": b"application/json"}
EVENTS = {b"content-type": b"text/event-stream"}
COMMENT = b":\n\n"


class Host(Protocol):
    """The conversation in which a call is made, as the call sees it."""

    server: str
    owner: Hashable
    channel: Channel
    loop_share: LoopShare
    parked: ParkedCalls
    timeout: float

    @property
    def server_info(self) -> bytes | None:
        """What the server says that it is, raw."""

    def can_open_pages(self) -> bool:
        """Whether the caller's client shows pages."""

    def over(self, request: RequestId) -> None:
        """It was answered."""

    def given_up(self, request: RequestId, postage: Postage) -> None:
        """Nobody waits for it any more."""

    def refuse(self, request_id: bytes, code: int, message: str) -> None:
        """A request of the server gets no better answer."""


class Call:
    """A request under way."""

    def __init__(self, host: Host, request: RequestId, message: Message, postage: Postage) -> None:
        self.request = request
        self.questions = OpenQuestions("question")
        self._host = host
        self._loop = asyncio.get_running_loop()
        self.loop_share = host.loop_share
        self._state: str | None = None
        self._outcome: Callable[[], None] | None = None
        """What came while nobody waited for it."""
        self._is_asking = False
        """Whether its caller has been told what is asked, and has not come back."""
        self._is_over = self._is_resuming = False
        self._overdue: asyncio.TimerHandle | None = None
        self._take(message, postage)

    def _take(self, message: Message, postage: Postage) -> None:
        """Work for this request of the caller from here on."""
        self.message = message
        self.postage = postage
        self._timeout = postage.timeout or self._host.timeout
        self.token = message.meta.members.get(PROGRESS_KEY)
        raw_level = message.meta.members.get(LOG_LEVEL_KEY)
        self.level = None if raw_level is None else level_of(raw_level)
        self._first: InlineFuture[UpstreamAnswer] = InlineFuture()
        self._stream: Stream | None = None
        self._is_behind = False

    # the caller's side

    async def exchange(self) -> UpstreamAnswer:
        """Send the request, and give the caller's answer. Raises as a Channel, and BadAnswer."""
        sending = InlineRunner(
            self._send(), self._sent
        )  # apart: a question may come before its answer begins
        sending.start()
        try:
            return await self._first
        except GeneratorExit:
            sending.cancel()
            self.drop()
            raise

    async def _send(self) -> None:
        message = legacy_request(self.message, self.request)
        try:
            answer = await self._host.channel.send(message, self.request, self.postage)
        except (UpstreamFailed, CallerBusy, ConversationLost) as error:
            self.failed(error)
            return
        if answer is None:
            self._watch()
        elif answer.status != 200 or answer.content_type != b"application/json":
            self._refused(answer)
        else:
            try:
                kind, value = read_answer(answer.body, b"%d" % self.request)
            except McpError as error:
                self.broken(error.message)
            else:
                self.answered(kind, value, answer.room)

    def _sent(self, _: None, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self.failed(error)

    async def resume(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """Go on with what was said to the questions. Raises as `exchange`, and InvalidParams."""
        if self._is_resuming:
            raise InvalidParams("what this call waits for is being answered already")
        replies = self.questions.replies(message)
        self._take(message, postage)
        self._is_resuming = True
        try:
            refused = await self.questions.reply(replies, self._host.channel, postage)
            if refused is not None:
                return refused  # perhaps for its credential: it is parked still
            if self._is_over:  # nobody had come back in time, but now
                raise ConversationLost
            if self.questions:
                return whole_answer(self.message, "result", self._input_required())
            self._is_resuming = False
            self._host.parked.remove(self._state)
            self._state = None
            self._is_asking = False
            self._watch()
            self._host.channel.resume(self.request)
            outcome, self._outcome = self._outcome, None
            if outcome is not None:
                outcome()
            return await self._first
        except GeneratorExit:
            if self._state is None:
                self.drop()
            raise
        finally:
            self._is_resuming = False

    def pause(self) -> None:
        """The caller reads too slowly: what comes on a stream of its own waits there, all else is lost."""
        self._is_behind = True
        self._host.channel.pause(self.request)

    def resume_reading(self) -> None:
        """The caller has caught up."""
        if self._is_behind and self._state is None:
            self._is_behind = False
            self._host.channel.resume(self.request)

    def drop(self) -> None:
        """The caller has left."""
        self._unwatch()
        self._host.given_up(self.request, self.postage)

    # the server's side

    def alive(self) -> None:
        """A sign of life came."""
        self._say(KEEP_ALIVE)

    def notified(self, message: bytes) -> None:
        """A notification for the caller came."""
        self._say(message)

    def answered(self, kind: str, value: Raw, room: Room | None = None) -> None:
        """The answer came."""
        if self._state is not None:
            self._outcome = partial(self.answered, kind, value, room)
            return
        if not self._end():
            return
        try:
            kind, value = self._translated(kind, value)
        except McpError as error:
            self._fail(self._bad(error.message))
            return
        self._deliver(kind, value, room)

    def failed(self, error: Exception) -> None:
        """No answer will come: UpstreamFailed, CallerBusy, ConversationLost or BadAnswer."""
        if self._state is not None:
            self._outcome = partial(self.failed, error)
            return
        if self._end():
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._stream is None:
            self._first.fail(error)
        elif isinstance(error, UpstreamFailed):
            self._stream.end(error)
        else:
            said = error if isinstance(error, McpError) else self._bad("it lost the session")
            if isinstance(said, GatewayError):
                record.server_failed(self._host.server, said)  # whoever sent the call has its answer already
            self._stream.feed(write_event(said.to_json(self.message.id or b"null")))
            self._stream.end()

    def broken(self, reason: str) -> None:
        """What came is not MCP, or not for this request."""
        self.failed(self._bad(reason))

    def ask(self, request_id: bytes, method: str, params: Raw) -> None:
        """A question came. Raises McpError when it can't be asked."""
        if len(self.questions) >= MOST:
            self._host.refuse(request_id, REFUSED, "too many questions of this call are open")
            return
        asked = question(method, params)
        if self._state is None and not self._park():
            self._host.refuse(request_id, REFUSED, "too many calls wait for answers: try again later")
            return
        self.questions.add(request_id, asked)
        if not self._is_asking:
            self._is_asking = True
            self._unwatch()
            self._host.channel.pause(self.request)
            self._deliver("result", self._input_required(), None)

    def expire(self) -> None:
        """Nobody came back in time."""
        self._state = None
        self._is_over = True
        self.questions.refuse(self._host.refuse)
        self._host.given_up(self.request, self.postage)

    @property
    def may_be_asked(self) -> bool:
        """Whether its caller knows what to do with a question."""
        return self.message.method in ASKING_METHODS

    @property
    def is_parked(self) -> bool:
        """Whether it waits for what its caller says."""
        return self._state is not None

    # inside

    def _park(self) -> bool:
        self._state = self._host.parked.add(self, self._host.owner, what_is_asked(self.message))
        return self._state is not None

    def _input_required(self) -> bytes:
        return self.questions.told(self._state, self._host.server_info)

    def _refused(self, answer: UpstreamAnswer) -> None:
        """With a status that says why, or with what is no answer: whoever translates it says so."""
        if self._end():
            self._first.set(answer)

    def _end(self) -> bool:
        """Whether it is over by this, and was not before: a server may answer twice, in several ways."""
        self._unwatch()
        was_over, self._is_over = self._is_over, True
        self._host.over(self.request)
        return not was_over

    def _translated(self, kind: str, value: Raw) -> tuple[str, Raw]:
        """Raises McpError for what is no answer."""
        if kind == "result":
            return kind, modern_result(self.message.method, value, self._host.server_info)
        if error_code(value) == URL_ELICITATION_REQUIRED and self.may_be_asked:
            asked = self._pages(value)
            if asked:
                return "result", input_required(asked, None, self._host.server_info)
        return kind, modern_error(value)

    def _pages(self, error: Raw) -> dict[str, bytes]:
        """What the caller is asked before the call can succeed; nothing once they would not."""
        if not self._host.can_open_pages():
            return {}
        pages = pages_to_open(error)
        names = [f"page-{number}" for number, _ in enumerate(pages, start=1)]
        said = responses(self.message)
        if any(name in said and not is_accepted(said[name]) for name in names):
            return {}
        return {
            name: question("elicitation/create", write_object({**page, "mode": b'"url"'}))
            for name, page in zip(names, pages, strict=True)
        }

    def _deliver(self, kind: str, value: Raw, room: Room | None) -> None:
        if self._stream is None:
            self._first.set(whole_answer(self.message, kind, value, room))
        else:
            self._stream.feed(write_event(write_answer(self.message.id or b"null", kind, value)))
            self._stream.end()

    def _say(self, message: bytes) -> None:
        if self._state is not None or self._is_behind:
            return
        if self._overdue is not None:
            self._watch()
        if self._stream is None:
            self._stream = Stream(_Reader(self))
            answer = UpstreamAnswer(200, EVENTS)
            answer.stream = self._stream
            self._first.set(answer)
        self._stream.feed(COMMENT if message == KEEP_ALIVE else write_event(message))

    def _bad(self, reason: str) -> BadAnswer:
        return BadAnswer(f"server {self._host.server}: {reason}")

    def _watch(self) -> None:
        """Where all comes on one stream, nobody else sees that nothing comes for this request."""
        self._unwatch()
        is_waited_for = not self._is_over and self._state is None
        if is_waited_for and not self._host.channel.has_own_streams:
            self._overdue = self._loop.call_later(self._timeout, self._time_out)

    def _unwatch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _time_out(self) -> None:
        reason = f"no answer within {self._timeout:g} s"
        self._host.given_up(self.request, self.postage)
        self.failed(UpstreamFailed(self._host.server, CallStep.TIMEOUT, reason))


class _Reader:
    """The caller, as the source of their own stream."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.loop_share = call.loop_share

    def pause(self) -> None:
        self._call.pause()

    def resume(self) -> None:
        self._call.resume_reading()

    def drop(self) -> None:
        self._call.drop()


def whole_answer(message: Message, kind: str, value: Raw, room: Room | None = None) -> UpstreamAnswer:
    """The caller's answer in one piece. kind: "result" or "error"; room: what is held for a large one."""
    status = STATUS_OF_CODE.get(error_code(value) or 0, 200) if kind == "error" else 200
    answer = UpstreamAnswer(status, JSON)
    answer.body = write_answer(message.id or b"null", kind, value)
    answer.room = room
    return answer
