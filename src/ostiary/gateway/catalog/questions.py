"""What the gateway asks one server on behalf of one caller: its lists, and what it can do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.last_answers import AnswerKey, LastAnswers
from ostiary.gateway.catalog.translate import read_result
from ostiary.gateway.errors import BadAnswer, ListTooLong
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import next_turn
from ostiary.mcp.errors import McpError, MethodNotFound
from ostiary.mcp.merging import ListKind, OwnDiscovery, OwnList, ServerList, read_discovery, read_page
from ostiary.mcp.messages import Change, Message
from ostiary.mcp.names import Names
from ostiary.mcp.raw_object import Raw, read_members
from ostiary.mcp.subscriptions import LISTEN, Subscription
from ostiary.transport.upstream import Stream

T_co = TypeVar("T_co", covariant=True)

MOST_PAGES = 100
DISCOVERY_BYTES = 256 * 1024
"""The longest answer to `server/discover`: a few capabilities, and instructions that a model reads."""
ITEMS_AT_ONCE = 100
"""How many items of a list are read before others are served."""


class Question(Protocol[T_co]):
    """One that several servers are asked."""

    @property
    def call(self) -> Call:
        """On whose behalf, and in which words."""

    @property
    def method(self) -> str:
        """Which question it is."""

    async def ask(self, server: Server, held: ExitStack) -> T_co | None:
        """Its answer, which is kept; None where it has nothing of the kind.

        held: gives back what is held of it. Raises McpError.
        """

    def knows(self, server: Server) -> bool:
        """Whether there is something to recall."""

    async def recall(self, server: Server) -> T_co | None:
        """What it said last, if that is not too long ago."""

    def forget(self, server: Server) -> None:
        """Recall nothing more of what it said."""


@dataclass(frozen=True, slots=True)
class ListQuestion:
    """For one kind of list, with the names that an endpoint has for what is in it."""

    call: Call
    kind: ListKind
    names: Names
    last: LastAnswers
    learn: Callable[[Call, Server, ListKind, OwnList], None]
    """Told of each list that has just come."""

    @property
    def method(self) -> str:
        """As of every Question."""
        return self.kind.method

    async def ask(self, server: Server, held: ExitStack) -> OwnList | None:
        """As of every Question."""
        listed = await whole_list(self.call, server, self.kind, held)
        own = None if listed is None else await self.own(server, listed)
        if listed is not None and own is not None:
            self.last.keep(self._key(server), listed, listed.size)
            self.learn(self.call, server, self.kind, own)
        return own

    def knows(self, server: Server) -> bool:
        """As of every Question."""
        return self.last.find(self._key(server)) is not None

    async def recall(self, server: Server) -> OwnList | None:
        """As of every Question."""
        listed: ServerList | None = self.last.find(self._key(server))
        return None if listed is None else await self.own(server, listed)

    def forget(self, server: Server) -> None:
        """As of every Question."""
        self.last.forget(self._key(server))

    async def own(self, server: Server, listed: ServerList) -> OwnList:
        """What the server adds to the list of the endpoint."""
        own = OwnList(server.name)
        for number, _ in enumerate(own.take(self.kind, listed, self.names), start=1):
            if number % ITEMS_AT_ONCE == 0:
                await next_turn()
        return own

    def _key(self, server: Server) -> AnswerKey:
        return AnswerKey(server, server.whose(self.call), self.method)


@dataclass(frozen=True, slots=True)
class DiscoveryQuestion:
    """For what servers can do."""

    call: Call
    last: LastAnswers

    @property
    def method(self) -> str:
        """As of every Question."""
        return "server/discover"

    async def ask(self, server: Server, held: ExitStack) -> OwnDiscovery | None:
        """As of every Question."""
        result = await result_of(self.call, server, DISCOVERY_BYTES)
        own = read_discovery(server.name, result)
        self.last.keep(self._key(server), own, len(result))
        return own

    def knows(self, server: Server) -> bool:
        """As of every Question."""
        return self.last.find(self._key(server)) is not None

    async def recall(self, server: Server) -> OwnDiscovery | None:
        """As of every Question."""
        own: OwnDiscovery | None = self.last.find(self._key(server))
        return own

    def forget(self, server: Server) -> None:
        """As of every Question."""
        self.last.forget(self._key(server))

    def _key(self, server: Server) -> AnswerKey:
        return AnswerKey(server, server.whose(self.call), self.method)


async def whole_list(call: Call, server: Server, kind: ListKind, held: ExitStack) -> ServerList | None:
    """All pages as one; None when the server has no such list. held: gives back what is held of it."""
    listed = ServerList()
    left = server.lists.budget.bytes
    cursors: set[str | None] = {None}
    cursor: str | None = None
    while True:
        change = None if cursor is None else ("cursor", msgspec.json.encode(cursor))
        try:
            result = await result_of(call, server, left, change)
        except MethodNotFound:
            if cursor is None:
                return None
            raise
        left -= len(result)
        server.lists.hold(len(result), call.account, held)
        page = read_page(kind, result)
        listed.add(page, len(result))
        if len(listed.items) > server.lists.budget.items:
            raise ListTooLong(f"server {server.name}: more than {server.lists.budget.items} {kind.items}")
        cursor = page.next_cursor
        if cursor is None:
            return listed
        if cursor in cursors or len(cursors) > MOST_PAGES:
            raise BadAnswer(f"server {server.name}: its list of {kind.items} does not end")
        cursors.add(cursor)


async def result_of(call: Call, server: Server, most_bytes: int, change: Change | None = None) -> Raw:
    """The result of the caller's message there, of at most so many bytes. Raises McpError."""
    method = call.message.method.decode()
    answer, message_id = await server.forward(call, change, b"", most_bytes)
    kind, value = await read_result(server, answer, message_id, most_bytes, method)
    if kind == "error":
        raise _refused(server, method, value)
    return value


async def listening_stream(call: Call, server: Server, wanted: Subscription) -> Stream:
    """What the server says of changes. Raises McpError: MethodNotFound where it tells of none."""
    parameters = b'{"notifications":%s,"_meta":%s}' % (wanted.written(), call.message.meta.raw)
    asking = call.about(Message(LISTEN, None, parameters))
    answer, message_id = await server.forward(asking, None, b"")
    if answer.stream is not None:
        return answer.stream
    kind, value = await read_result(server, answer, message_id, DISCOVERY_BYTES, LISTEN.decode())
    if kind == "error":
        raise _refused(server, LISTEN.decode(), value)
    raise BadAnswer(f"server {server.name}: it ended a subscription as it began")


def _refused(server: Server, method: str, error: Raw) -> McpError:
    members = read_members(error)
    if bytes(members.get("code", b"")) == b"%d" % MethodNotFound.code:
        return MethodNotFound(method)
    return BadAnswer(f"server {server.name}: it answered {method} with an error")
