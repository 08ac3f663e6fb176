"""One server that is a program: a process for each caller, or one for all. MCP 2026-07-28.

What a program remembers of one caller is nobody else's. So each account has a process of its own, started
when it first calls and stopped when it has not called for a while, unless the operator says that all may
share one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING

from ostiary.gateway.upstreams.stdio.call import JSON
from ostiary.gateway.upstreams.stdio.conversation import Conversation
from ostiary.gateway.upstreams.stdio.program import Begun, Program
from ostiary.inline_coroutines import in_task
from ostiary.mcp.era_signs import Era, era_of
from ostiary.mcp.eras import MODERN
from ostiary.mcp.messages import write_answer
from ostiary.mcp.multiplexed import Multiplexed, multiplexed, status_of
from ostiary.mcp.server_message import read_server_message
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.transport.upstream import CallStep, UpstreamAnswer

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.gateway.upstreams.session import OutgoingMessage
    from ostiary.gateway.upstreams.stdio.restarts import Restarts

IDLE_SECONDS = 300.0
"""After which a caller's process is stopped."""
EVERYBODY = "everybody"


class Stdio:
    """An UpstreamSession over processes of one program."""

    version = MODERN

    def __init__(self, program: Program, *, is_shared: bool) -> None:
        self.url = CanonicalUrl("http", "localhost", 80, f"/{program.server}")
        """A name. Credentials are made for a URL, and a program has neither."""
        self.timeout = program.limits.timeout
        self.answer_bytes = program.limits.answer_bytes
        self.held = program.held
        self._program = program
        self._is_shared = is_shared
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        program.make_room.append(self._make_room)
        program.sweeps.append(self._sweep)

    async def exchange(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer:
        """As of every UpstreamSession."""
        self._program.watch()
        request = multiplexed(message.body)
        calls = await self._program.turn.come(message.account, len(message.body))
        done = partial(self._program.turn.go, calls)
        try:
            conversation = await self._conversation(EVERYBODY if self._is_shared else message.account)
            if isinstance(conversation, Begun):
                answer = self._of_another_era(conversation, request)
                done()
                return answer
            most_bytes = message.most_bytes or self.answer_bytes
            future = conversation.ask(request, most_bytes, done, message.timeout)
        except BaseException:
            done()
            raise
        return await future

    def is_outdated(self, _: UpstreamAnswer) -> bool:
        """As of every UpstreamSession."""
        return False

    @property
    def is_busy(self) -> bool:
        """As of every UpstreamSession."""
        return not all(slot.is_idle for slot in self._slots.values())

    def close(self) -> None:
        """Stop all processes."""
        for slot in self._slots.values():
            slot.stop("the gateway has stopped")
        self._slots.clear()
        self._program.close()

    # inside

    async def _conversation(self, key: Hashable) -> Conversation | Begun:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot(self._program, is_shared=self._is_shared)
        self._slots.move_to_end(key)
        if slot.conversation is not None and slot.conversation.is_usable:
            return slot.conversation
        if slot.beginning is None:
            slot.beginning = in_task(slot.begin(self._program.restarts_of(key)))
        return await slot.beginning

    def _of_another_era(self, begun: Begun, request: Multiplexed) -> UpstreamAnswer:
        """What such a server says to all that is modern."""
        if begun.answer is None:
            raise self._program.failed(CallStep.TIMEOUT, f"no answer within {self.timeout:g} s")
        said = read_server_message(begun.answer)
        kind, value = said.answer_to(bytes(said.id))
        answer = UpstreamAnswer(status_of(value) if kind == "error" else 200, JSON)
        answer.body = write_answer(request.id, kind, value)
        return answer

    def _make_room(self) -> bool:
        """Stop the process that has been idle for longest."""
        for key, slot in self._slots.items():
            if slot.conversation is not None and slot.is_idle:
                slot.stop("another caller needs its place")
                del self._slots[key]
                return True
        return False

    def _sweep(self) -> bool:
        for slot in self._slots.values():
            if slot.conversation is not None:
                slot.conversation.sweep()
        before = self._program.loop.time() - IDLE_SECONDS
        for key in [key for key, slot in self._slots.items() if slot.idle_since < before]:
            self._slots.pop(key).stop("it was idle")
        return bool(self._slots)


class _Slot:
    """The process of one caller, and those that were before it."""

    def __init__(self, program: Program, *, is_shared: bool) -> None:
        self.conversation: Conversation | None = None
        self.beginning: asyncio.Task[Conversation | Begun] | None = None
        self._program = program
        self._is_shared = is_shared
        self._left_at = program.loop.time()
        self._is_stopped = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is under way."""
        return self.beginning is None and (self.conversation is None or not self.conversation.calls)

    @property
    def idle_since(self) -> float:
        """Since when; never for one that all share."""
        if not self.is_idle or self._is_shared:
            return float("inf")
        return self._left_at if self.conversation is None else self.conversation.idle_since

    async def begin(self, restarts: Restarts) -> Conversation | Begun:
        """Begin a process: a conversation, or what cannot have one. Raises UpstreamFailed, CallerBusy."""
        ended = partial(self._ended, restarts)
        conversation = Conversation(self._program, ended, is_shared=self._is_shared)
        try:
            begun = await self._program.begin(conversation)
        finally:
            self.beginning = None
        self._program.is_modern = begun.answer is not None and era_of(200, begun.answer) is Era.MODERN
        if not self._program.is_modern:
            self._program.put_back(begun)  # for who speaks its era
            return begun
        conversation.begin(begun.child)
        self.conversation = conversation
        restarts.started()
        if self._is_stopped:
            self.stop("the gateway has stopped")
        return conversation

    def stop(self, why: str) -> None:
        """Nobody wants it any more."""
        self._is_stopped = True
        if self.conversation is not None:
            self.conversation.stop(why)

    def _ended(self, restarts: Restarts, conversation: Conversation, why: str) -> None:
        if conversation is self.conversation:
            self.conversation = None
            self._left_at = self._program.loop.time()
            if not self._is_stopped:
                restarts.ended(why)
