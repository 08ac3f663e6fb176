"""Ask several servers at once, and wait for none longer than the others need.

One that has said something before and does not answer at once is answered for by that; one that never has
is waited for, once, for a bounded time. Whoever keeps a caller waiting is asked behind from then on, and
waited for no more, until it answers that caller. How it fares with one caller is nothing to others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, TypeVar

from ostiary.gateway import record
from ostiary.gateway.catalog.last_answers import LastAnswers, SlowServers
from ostiary.gateway.catalog.questions import Question
from ostiary.gateway.errors import ForPeopleAlone, GatewayError, ListTooLong, NotConnected, ServerTimedOut
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import as_future
from ostiary.mcp.errors import McpError
from ostiary.mcp.merging import UnavailableServer

T = TypeVar("T")

AT_ONCE = 0.25
"""Seconds: sooner than a person notices, and later than a server that is well needs."""


@dataclass(slots=True)
class Memory:
    """What is remembered between one question and the next. patience: seconds for one who never answered."""

    last: LastAnswers
    patience: float
    clock: Callable[[], float] = time.time
    slow: SlowServers = field(default_factory=SlowServers)
    behind: dict[Hashable, asyncio.Future[Any]] = field(default_factory=dict)
    """Questions that are still under way when nobody waits for them any more."""


class _Failed(NamedTuple):
    missing: UnavailableServer | None
    """None where it did say something, to an earlier question."""
    is_recalled: bool = True
    """Whether what it said before stands in for it."""


@dataclass(slots=True, eq=False)
class _Asked(Generic[T]):
    """One server, and what it will say. is_joined: its question was asked before, and goes on behind."""

    server: Server
    future: asyncio.Future[T | _Failed | None]
    is_joined: bool
    is_over: bool = False
    """Whether nobody waits for it any more."""
    is_left_behind: bool = False
    held: ExitStack = field(default_factory=ExitStack)


async def gather(
    question: Question[T], servers: Sequence[Server], memory: Memory, held: ExitStack
) -> tuple[list[T], list[UnavailableServer]]:
    """What each server says, in their order, and which said nothing new. An answer of None is left out.

    Each has its own timeout for all that it says, however many pages that is. held: gives back what is held.
    """
    return await _Gathering(question, memory, held).run(servers)


class _Gathering(Generic[T]):
    def __init__(self, question: Question[T], memory: Memory, held: ExitStack) -> None:
        self._question = question
        self._memory = memory
        self._held = held
        self._account = question.call.account
        self._asked: dict[str, _Asked[T]] = {}
        self._found: list[T] = []
        self._missing: list[UnavailableServer] = []

    async def run(self, servers: Sequence[Server]) -> tuple[list[T], list[UnavailableServer]]:
        skipped = {server.name: server.health.skip() for server in servers}
        try:
            for server in servers:
                if skipped[server.name] is None:
                    self._asked[server.name] = self._ask(server)
            await self._wait()
            for server in servers:
                away = skipped[server.name]
                await self._take(server, self._said(server) if away is None else _Failed(away))
        finally:
            for asked in self._asked.values():
                if not asked.is_joined and not asked.is_left_behind:
                    asked.future.cancel()
                    self._held.callback(asked.held.close)
        return self._found, self._missing

    def _ask(self, server: Server) -> _Asked[T]:
        under_way = self._memory.behind.get(self._place_behind(server))
        if under_way is not None:
            return _Asked(server, under_way, is_joined=True)
        held = ExitStack()
        future = as_future(self._answer(server, held))
        timer = asyncio.get_running_loop().call_later(server.session.timeout, future.cancel)
        future.add_done_callback(lambda _: timer.cancel())
        return _Asked(server, future, is_joined=False, held=held)

    async def _answer(self, server: Server, held: ExitStack) -> T | _Failed | None:
        try:
            answer = await self._question.ask(server, held)
        except ForPeopleAlone:
            answer = None
        except McpError as error:
            if isinstance(error, ListTooLong):
                record.server_failed(server.name, error)
            step = error.step if isinstance(error, GatewayError) else "answer"
            return _Failed(server.health.missing(step), not isinstance(error, NotConnected))
        self._memory.slow.discard(server.name, self._account)
        return answer

    async def _wait(self) -> None:
        """Until each has answered, or its time is over."""
        waited_for = [asked for asked in self._asked.values() if not asked.future.done()]
        slow = [asked for asked in waited_for if (asked.server.name, self._account) in self._memory.slow]
        if len(slow) < len(self._asked):  # else there is nobody whom they would keep
            for asked in slow:
                asked.is_over = True
        if all(asked.is_over for asked in waited_for):
            return
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[None] = loop.create_future()

        def look(_: object = None) -> None:
            if not enough.done() and all(asked.is_over or asked.future.done() for asked in waited_for):
                enough.set_result(None)

        def be_over(asked: _Asked[T]) -> None:
            asked.is_over = True
            look()

        timers = []
        for asked in waited_for:
            asked.future.add_done_callback(look)
            knows = self._question.knows(asked.server)
            timers.append(loop.call_later(AT_ONCE if knows else self._memory.patience, be_over, asked))
        try:
            await enough
        finally:
            for timer in timers:
                timer.cancel()

    def _said(self, server: Server) -> T | _Failed | None:
        asked = self._asked[server.name]
        if not asked.future.done():
            self._leave_behind(asked)
        elif not asked.future.cancelled():
            said = asked.future.result()
            return said if not asked.is_joined or isinstance(said, _Failed) else _Failed(None)
        self._memory.slow.add(server.name, self._account)
        return _Failed(server.health.missing(ServerTimedOut.step))

    def _leave_behind(self, asked: _Asked[T]) -> None:
        if asked.is_joined:
            return
        asked.is_left_behind = True
        place, behind = self._place_behind(asked.server), self._memory.behind
        behind[place] = asked.future

        def end(_: object) -> None:
            asked.held.close()
            del behind[place]

        asked.future.add_done_callback(end)

    async def _take(self, server: Server, said: T | _Failed | None) -> None:
        if not isinstance(said, _Failed):
            if said is not None:
                self._found.append(said)
            return
        last = await self._question.recall(server) if said.is_recalled else None
        if not said.is_recalled:
            self._question.forget(server)
        if last is not None:
            self._found.append(last)
        if said.missing is not None:
            self._missing.append(said.missing if last is None else replace(said.missing, stale=True))

    def _place_behind(self, server: Server) -> Hashable:
        return server.name, self._account, server.whose(self._question.call), self._question.method
