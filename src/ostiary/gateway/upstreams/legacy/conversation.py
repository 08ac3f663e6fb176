"""What passes between us and a legacy server from `initialize` on, until either has had enough.

Several calls are under way in it at once, and what the server says goes to the one that it belongs to:
answers and progress by their ids, all else by the stream on which it comes, and else to the latest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from ostiary.gateway.errors import BadAnswer
from ostiary.gateway.upstreams.legacy.between_calls import BetweenCalls, QuestionBudget
from ostiary.gateway.upstreams.legacy.calls import Call
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.gateway.upstreams.legacy.open_questions import REFUSED
from ostiary.inline_coroutines import as_future, in_task
from ostiary.mcp.change_notices import Change, read_change
from ostiary.mcp.elicitation import ASKING_METHODS
from ostiary.mcp.errors import McpError, MethodNotFound
from ostiary.mcp.events import KEEP_ALIVE
from ostiary.mcp.handshake import INITIALIZED, read_agreement
from ostiary.mcp.legacy_notices import (
    CANCELLED,
    LOG,
    NOT_OF_MODERN,
    PROGRESS,
    cancelled_request,
    log_level,
    read_progress,
)
from ostiary.mcp.legacy_requests import cancelled
from ostiary.mcp.messages import read_answer
from ostiary.mcp.questions import CAPABILITY_OF, may_be_asked, question, refusal_of
from ostiary.mcp.raw_object import Raw, read_string
from ostiary.mcp.server_message import ServerMessage, read_server_message
from ostiary.transport.upstream import CallerBusy, CallStep, Room, UpstreamAnswer, UpstreamFailed
from ostiary.transport.upstream.loop_share import LoopShare

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import OpenChannel, Postage, RequestId
    from ostiary.gateway.upstreams.legacy.parked_calls import ParkedCalls
    from ostiary.mcp.handshake import Agreement, Introduction
    from ostiary.mcp.messages import Message

HANDSHAKE_BYTES = 64 * 1024
"""The longest answer to `initialize`, of which each session keeps what the server says of itself."""
LISTEN_SECONDS = 5.0
"""How long the server may take to let us listen."""
MOST_ASIDE = 16
"""How many messages of ours may be on their way that nobody waits for; beyond, none are sent."""
LONGEST_ID = 256
"""Bytes of the id of a server's request."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all sessions with one server are made with.

    channels: ways to reach it, the likeliest first; timeout: seconds for an answer; is_shared: whether the
    calls of one conversation are of several callers.
    """

    server: str
    channels: tuple[OpenChannel, ...]
    parked: ParkedCalls
    budget: QuestionBudget
    loop_share: LoopShare
    timeout: float
    is_shared: bool = False


class Session(Protocol):
    """What a conversation is a part of."""

    owner: Hashable
    """Whose calls these are."""

    def changed(self, change: Change) -> None:
        """A list, or a resource, is another now."""

    def ended(self, conversation: Conversation) -> None:
        """The server has ended it."""

    def deaf(self, error: UpstreamFailed) -> None:
        """Nothing more is heard of what the server says unasked."""


class _Own:
    """A request of ours."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[str, Raw]] = asyncio.get_running_loop().create_future()

    def answered(self, kind: str, value: Raw, _room: Room | None = None) -> None:
        if not self.answer.done():
            self.answer.set_result((kind, value))

    def failed(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # perhaps what it asks was never sent, and nobody waits


class Conversation:
    """One conversation. It is a Receiver of its channel, and the Host of its calls."""

    def __init__(
        self,
        means: Means,
        open_channel: OpenChannel,
        introduction: Introduction,
        session: Session,
    ) -> None:
        """introduction: what the caller's client says of itself."""
        self.server = means.server
        self.owner = session.owner
        self.parked = means.parked
        self.budget = means.budget
        self.loop_share = means.loop_share
        self.timeout = means.timeout
        self.agreement: Agreement | None = None
        self.postage: Postage | None = None
        """With what the last message went out."""
        self._is_shared = means.is_shared
        self._introduction = introduction
        self._session = session
        self._ids = count(1)
        self._requests: dict[RequestId, Call | _Own] = {}
        self._between = BetweenCalls(self)
        self._aside = 0
        self.is_closed = False
        self.is_listening = False
        """Whether we hear what the server says unasked."""
        self.channel = open_channel(self)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._requests and not self._between.is_asking

    async def begin(self, postage: Postage) -> UpstreamAnswer | None:
        """Shake hands: None, or how the server refused. Raises UpstreamFailed, CallerBusy, BadAnswer.

        In a task, as is all that asks on our own behalf.
        """
        self.postage = postage
        request = next(self._ids)
        short = postage._replace(most_bytes=min(postage.most_bytes, HANDSHAKE_BYTES))
        answered = await self._asked(self._introduction.initialize(request), request, short)
        if isinstance(answered, UpstreamAnswer):
            return answered
        kind, value = answered
        if kind == "error":
            return _refusal(value)
        try:
            self.agreement = read_agreement(value)
        except McpError as error:
            raise self.bad(error.message) from None
        self.channel.agreed(self.agreement.version)
        return await as_future(self.channel.send(INITIALIZED, None, postage))

    async def ask(self, method: str, params: bytes, postage: Postage) -> tuple[str, Raw] | UpstreamAnswer:
        """Ask on our own behalf: ("result" or "error", its raw value), or how it was refused.

        Raises as `begin`, and ConversationLost.
        """
        request = next(self._ids)
        message = b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (request, method.encode(), params)
        return await self._asked(message, request, postage)

    async def call(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """The caller's answer. An inline coroutine. Raises as `ask`."""
        self.postage = postage
        if self.is_closed:
            raise ConversationLost
        asked = self._between.ask(message) if message.method in ASKING_METHODS else None
        if asked is not None:
            return asked
        request = next(self._ids)
        call = Call(self, request, message, postage)
        self._requests[request] = call
        return await call.exchange()

    async def listen(self, postage: Postage) -> None:
        """Hear what the server says unasked. In a task."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                await self.channel.listen(postage)
        self.is_listening = True

    def rest(self) -> None:
        """Nothing is under way, and nobody listens: hold no more than what it takes to go on."""
        if self.is_listening:
            self.channel.stop_listening()
            self.is_listening = False

    def close(self, postage: Postage | None = None) -> None:
        """End it. postage: to tell the server."""
        if not self.is_closed:
            self.is_closed = True
            self.channel.close(postage)
            self._fail_all(UpstreamFailed(self.server, CallStep.ANSWER, "the session was closed"))

    def retire(self) -> None:
        """Begin nothing more in it; what is under way comes to its own end."""
        self.is_closed = True
        self._between.close()
        if self.is_idle:
            self.channel.close()

    # told by the channel

    def received(self, message: bytes, request: RequestId | None, room: Room | None = None) -> None:
        """As of every Receiver."""
        if message == KEEP_ALIVE:
            call = self._requests.get(request or 0)
            if isinstance(call, Call):
                call.alive()
            return
        try:
            said = read_server_message(message)
            if not said.has_method:
                self._answered(said, request, room)
            elif said.is_request:
                self._questioned(said, request)
            else:
                self._noticed(said, request)
        except McpError as error:
            self._broken(request, error.message)

    def ended(self, request: RequestId, error: UpstreamFailed) -> None:
        """As of every Receiver."""
        waiting = self._requests.get(request)
        if waiting is not None:
            waiting.failed(error)

    def deaf(self, error: UpstreamFailed) -> None:
        """As of every Receiver."""
        self.is_listening = False
        self._session.deaf(error)

    def closed(self, error: UpstreamFailed) -> None:
        """As of every Receiver."""
        if not self.is_closed:
            self.is_closed = True
            self.channel.close()
            self._fail_all(error)
            self._session.ended(self)

    # told by calls

    @property
    def server_info(self) -> bytes | None:
        """What the server says that it is, raw."""
        return None if self.agreement is None else self.agreement.server_info

    def can_open_pages(self) -> bool:
        """Whether the caller's client shows pages."""
        return may_be_asked(self._introduction.capabilities, "elicitation/create", b'{"mode":"url"}')

    def over(self, request: RequestId) -> None:
        """It was answered, or will not be."""
        if self._requests.pop(request, None) is not None:
            self.channel.forget(request)
            if self.is_closed and self.is_idle:
                self.channel.close()

    def given_up(self, request: RequestId, postage: Postage) -> None:
        """Nobody waits for it any more: the server is told."""
        if request in self._requests:
            self.over(request)
            self._tell(cancelled(request), postage)

    def refuse(self, request_id: bytes, code: int, message: str) -> None:
        """A request of the server gets no better answer."""
        if self.postage is not None:
            self._tell(refusal_of(request_id, code, message), self.postage)

    def bad(self, reason: str) -> BadAnswer:
        """An error of this server."""
        return BadAnswer(f"server {self.server}: {reason}")

    # inside

    async def _asked(
        self, message: bytes, request: RequestId, postage: Postage
    ) -> tuple[str, Raw] | UpstreamAnswer:
        own = self._requests[request] = _Own()
        try:
            async with asyncio.timeout(self.timeout):
                answer = await as_future(self.channel.send(message, request, postage))
                if answer is None:
                    return await own.answer
            if answer.status != 200 or answer.content_type != b"application/json":
                return answer
            return read_answer(answer.body, b"%d" % request)
        except TimeoutError:
            reason = f"no answer within {self.timeout:g} s"
            raise UpstreamFailed(self.server, CallStep.TIMEOUT, reason) from None
        except McpError as error:
            raise self.bad(error.message) from None
        finally:
            self.over(request)

    def _answered(self, said: ServerMessage, request: RequestId | None, room: Room | None) -> None:
        named = bytes(said.id)
        if request is None:
            if not named.isdigit() or len(named) > len("9" * 18):
                return
            request = int(named)
        waiting = self._requests.get(request)
        if waiting is not None:
            kind, value = said.answer_to(b"%d" % request)
            if kind == "error" and named not in {b"%d" % request, b"null", b""}:
                kind, value = said.answer_to(named)
            waiting.answered(kind, value, room)

    def _noticed(self, said: ServerMessage, request: RequestId | None) -> None:
        method, params = read_string(said.method, "method"), said.params
        change = read_change(said)
        if change is not None:
            self._session.changed(change)
        elif method == PROGRESS:
            self._progressed(params)
        elif method == CANCELLED:
            taken_back = cancelled_request(params)
            for call in self._calls():
                call.questions.taken_back(taken_back or b"")
            self._between.taken_back(taken_back or b"")
        elif method not in NOT_OF_MODERN:
            self._told(said, request, None if method != LOG else log_level(params) or 0)

    def _progressed(self, params: Raw) -> None:
        progress = read_progress(params)
        if progress is None or not progress.token.isdigit():
            return
        call = self._requests.get(int(progress.token[:18]))
        if isinstance(call, Call) and call.token is not None:
            call.notified(progress.told(bytes(call.token)))

    def _told(self, said: ServerMessage, request: RequestId | None, level: int | None) -> None:
        """A notification that goes on as it is: a log message of this level, or what we don't know."""
        call = self._call_of(request, lambda call: level is None or call.level is not None)
        if call is None or (level is not None and (call.level is None or level < call.level)):
            return
        if level is not None or request is not None:
            params = b',"params":%s' % said.params if said.params else b""
            call.notified(b'{"jsonrpc":"2.0","method":%s%s}' % (said.method, params))

    def _questioned(self, said: ServerMessage, request: RequestId | None) -> None:
        method, request_id = read_string(said.method, "method"), bytes(said.id)
        if len(request_id) > LONGEST_ID or self.postage is None:
            return
        if method == "ping":
            self._tell(b'{"jsonrpc":"2.0","id":%s,"result":{}}' % request_id, self.postage)
            return
        if method not in CAPABILITY_OF:
            self.refuse(request_id, MethodNotFound.code, "Method not found")
            return
        call = self._call_of(request, lambda call: call.may_be_asked)
        if not may_be_asked(self._introduction.capabilities, method, said.params):
            self.refuse(request_id, MethodNotFound.code, f"the client has not declared that it does {method}")
        elif call is None and request is None:
            self._between.hold(request_id, question(method, said.params))
        elif call is None or not call.may_be_asked:
            self.refuse(request_id, REFUSED, "no call is under way of which this could be asked")
        else:
            call.ask(request_id, method, said.params)

    def _call_of(self, request: RequestId | None, is_meant: Callable[[Call], bool]) -> Call | None:
        """The one on whose stream something came; else the latest of which it may be, when all are of one."""
        if request is not None:
            call = self._requests.get(request)
            return call if isinstance(call, Call) else None
        calls = self._calls()
        if self._is_shared and len(calls) > 1:
            return None
        return next((call for call in reversed(calls) if is_meant(call)), None)

    def _calls(self) -> list[Call]:
        return [call for call in self._requests.values() if isinstance(call, Call)]

    def _broken(self, request: RequestId | None, reason: str) -> None:
        waiting = None if request is None else self._requests.get(request)
        if isinstance(waiting, Call):
            waiting.broken(reason)
        elif waiting is not None:
            waiting.failed(self.bad(reason))

    def _fail_all(self, error: UpstreamFailed) -> None:
        self._between.close()
        for waiting in [*self._requests.values()]:
            waiting.failed(error)

    def _tell(self, message: bytes, postage: Postage) -> None:
        """Send what nobody waits for."""
        if self._aside < MOST_ASIDE and not self.is_closed:
            self._aside += 1
            in_task(self._send_aside(message, postage._replace(account=("aside", postage.account))))

    async def _send_aside(self, message: bytes, postage: Postage) -> None:
        try:
            await as_future(self.channel.send(message, None, postage))
        except (UpstreamFailed, CallerBusy, ConversationLost):
            pass
        finally:
            self._aside -= 1


def _refusal(error: Raw) -> UpstreamAnswer:
    """A handshake that was refused with this error."""
    answer = UpstreamAnswer(400, {b"content-type": b"application/json"})
    answer.body = b'{"jsonrpc":"2.0","id":null,"error":%s}' % error
    return answer
