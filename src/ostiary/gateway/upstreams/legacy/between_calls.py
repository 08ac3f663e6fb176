"""What a server asks while no call is under way of which it could be: its caller's next call brings it along.

That call is sent on when its caller has answered. Questions wait for a time, in a number and a size that are
bounded, and are refused beyond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ostiary.gateway.upstreams.legacy.calls import whole_answer
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.gateway.upstreams.legacy.open_questions import REFUSED, OpenQuestions
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.request_state import what_is_asked

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Channel, Postage
    from ostiary.gateway.upstreams.legacy.parked_calls import ParkedCalls
    from ostiary.mcp.messages import Message
    from ostiary.transport.upstream import UpstreamAnswer

HELD_SECONDS = 300.0
"""How long one waits for a call."""
MOST_HELD = 4
"""How many may wait in one conversation."""
LONGEST = 32 * 1024
"""Bytes of one that waits."""
HELD_BYTES = 1024 * 1024
"""Of all that wait, of one server."""


class Host(Protocol):
    """The conversation in which they are asked."""

    owner: Hashable
    channel: Channel
    parked: ParkedCalls
    budget: QuestionBudget

    @property
    def server_info(self) -> bytes | None:
        """What the server says that it is, raw."""

    def refuse(self, request_id: bytes, code: int, message: str) -> None:
        """A request of the server gets no better answer."""

    async def call(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """The answer to a call. An inline coroutine."""


class QuestionBudget:
    """What waits of one server's questions, counted in bytes."""

    def __init__(self, most: int = HELD_BYTES) -> None:
        self._left = most

    def take(self, size: int) -> bool:
        """Whether there is so much, which is taken then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give(self, size: int) -> None:
        """It is free again."""
        self._left += size


class _Held(NamedTuple):
    asked: bytes
    expires: asyncio.TimerHandle


class BetweenCalls:
    """Questions of one conversation that are no call's."""

    __slots__ = ("_asked", "_asking", "_held", "_host")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._held: dict[bytes, _Held] = {}
        """By the server's ids."""
        self._asked = 0
        """How many a caller has been asked."""
        self._asking: dict[_Interlude, None] = {}

    @property
    def is_asking(self) -> bool:
        """Whether a caller has been asked some, and has not come back."""
        return bool(self._asking)

    def hold(self, request_id: bytes, asked: bytes) -> None:
        """One came."""
        if request_id in self._held:
            return
        is_one_more = len(self._held) < MOST_HELD and len(asked) <= LONGEST
        if not is_one_more or not self._host.budget.take(len(asked)):
            said = "no call is under way of which this could be asked, and too much waits already"
            self._host.refuse(request_id, REFUSED, said)
            return
        expires = asyncio.get_running_loop().call_later(HELD_SECONDS, self._expire, request_id)
        self._held[request_id] = _Held(asked, expires)

    def ask(self, message: Message) -> UpstreamAnswer | None:
        """What its caller is asked before this call is sent on; None for nothing, or not now."""
        if not self._held:
            return None
        interlude = _Interlude(self._host, OpenQuestions("earlier", self._asked), self._asking)
        if not interlude.park(message):
            return None
        self._asked += len(self._held)
        for request_id in [*self._held]:
            interlude.questions.add(request_id, self._let_go(request_id))
        self._asking[interlude] = None
        return interlude.told(message)

    def taken_back(self, request_id: bytes) -> None:
        """The server wants no answer to this one any more."""
        if request_id in self._held:
            self._let_go(request_id)
        for interlude in self._asking:
            interlude.questions.taken_back(request_id)

    def close(self) -> None:
        """Forget all: the conversation is over."""
        for request_id in [*self._held]:
            self._let_go(request_id)

    def _expire(self, request_id: bytes) -> None:
        self._let_go(request_id)
        self._host.refuse(request_id, REFUSED, "no call came of which this could be asked")

    def _let_go(self, request_id: bytes) -> bytes:
        held = self._held.pop(request_id)
        held.expires.cancel()
        self._host.budget.give(len(held.asked))
        return held.asked


class _Interlude:
    """A call that waits, before it is sent on, for what its caller says to earlier questions."""

    def __init__(self, host: Host, questions: OpenQuestions, asking: dict[_Interlude, None]) -> None:
        """asking: those that wait, of which it is one."""
        self.questions = questions
        self._host = host
        self._asking = asking
        self._state: str | None = None
        self._is_resuming = self._is_over = False

    def park(self, message: Message) -> bool:
        """Wait for the caller to come back with this; False when too many calls wait already."""
        self._state = self._host.parked.add(self, self._host.owner, what_is_asked(message))
        return self._state is not None

    def told(self, message: Message) -> UpstreamAnswer:
        """What answers the caller meanwhile."""
        return whole_answer(message, "result", self.questions.told(self._state, self._host.server_info))

    async def resume(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """As of everything that waits."""
        if self._is_resuming:
            raise InvalidParams("what this call waits for is being answered already")
        replies = self.questions.replies(message)
        self._is_resuming = True
        try:
            refused = await self.questions.reply(replies, self._host.channel, postage)
        finally:
            self._is_resuming = False
        if refused is not None:
            return refused  # perhaps for its credential: it is parked still
        if self._is_over:
            raise ConversationLost
        if self.questions:
            return self.told(message)
        self._host.parked.remove(self._state)
        self._asking.pop(self, None)
        return await self._host.call(message, postage)

    def expire(self) -> None:
        """As of everything that waits."""
        self._is_over = True
        self._asking.pop(self, None)
        self.questions.refuse(self._host.refuse)
