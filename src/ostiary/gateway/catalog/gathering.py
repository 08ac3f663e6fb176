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

from ostiary.gateway.catalog.last_answers import LastAnswers, SlowServers
from ostiary.gateway.catalog.questions import Question
from ostiary.gateway.errors import ForPeopleAlone, GatewayError, ListTooLong, NotConnected, ServerTimedOut
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import as_future
from ostiary.mcp.errors import McpError
from ostiary.mcp.merging import UnavailableServer

T = TypeVar("T")

AT_ONCE = 0.25
"""Seconds in which one answers that is well, and in which another has answered."""
AT_LAST = 1.0
"""Seconds for which one is waited for that has a last answer, and is no slower than all others."""


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
    is_late: bool = False
    """Whether it is waited for until another has answered, and no longer."""
    is_over: bool = False
    """Whether nobody waits for it any more."""
    is_left_behind: bool = False
    held: ExitStack = field(default_factory=ExitStack)

    def is_waited_for(self, *, has_another: bool) -> bool:
        """Whether there is something to wait for."""
        return not (self.future.done() or self.is_over or (self.is_late and has_another))


class _Wait:
    """For several, of whom each has its time."""

    def __init__(self, asked: Sequence[_Asked[Any]]) -> None:
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._enough: asyncio.Future[None] = self._loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []

    def no_longer_than(self, one: _Asked[Any], seconds: float, *, late: float | None = None) -> None:
        """late: seconds after which it is enough that another has answered."""
        if one.future.done() or one.is_over:
            return
        one.future.add_done_callback(self._look)
        self._timers.append(self._loop.call_later(seconds, self._give_up, one))
        if late is not None:
            self._timers.append(self._loop.call_later(late, self._be_late, one))

    async def until_enough(self) -> None:
        """Until nobody is waited for."""
        try:
            self._look()
            await self._enough
        finally:
            for timer in self._timers:
                timer.cancel()

    def _give_up(self, one: _Asked[Any]) -> None:
        one.is_over = True
        self._look()

    def _be_late(self, one: _Asked[Any]) -> None:
        one.is_late = True
        self._look()

    def _look(self, _: object = None) -> None:
        has_one = any(one.future.done() for one in self._asked)
        is_enough = not any(one.is_waited_for(has_another=has_one) for one in self._asked)
        if is_enough and not self._enough.done():
            self._enough.set_result(None)


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
        timer = asyncio.get_running_loop().call_later(server.timeout_of(self._question.method), future.cancel)
        future.add_done_callback(lambda _: timer.cancel())
        return _Asked(server, future, is_joined=False, held=held)

    async def _answer(self, server: Server, held: ExitStack) -> T | _Failed | None:
        try:
            answer = await self._question.ask(server, held)
        except ForPeopleAlone:
            answer = None
        except McpError as error:
            if isinstance(error, ListTooLong):
                server.troubles.tell(error)
            step = error.step if isinstance(error, GatewayError) else "answer"
            return _Failed(server.health.missing(step), not isinstance(error, NotConnected))
        self._memory.slow.discard(server.name, self._account)
        return answer

    async def _wait(self) -> None:
        """Until each has answered, or its time is over."""
        asked = list(self._asked.values())
        slow = [one for one in asked if (one.server.name, self._account) in self._memory.slow]
        if len(slow) < len(asked):  # else there is nobody whom they would keep
            for one in slow:
                one.is_over = True
        wait = _Wait(asked)
        for one in asked:
            if self._question.knows(one.server):
                wait.no_longer_than(one, AT_LAST, late=AT_ONCE)
            else:
                wait.no_longer_than(one, self._memory.patience)
        await wait.until_enough()

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
        return server, self._account, server.whose(self._question.call), self._question.method
