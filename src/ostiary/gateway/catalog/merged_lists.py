"""Ask several servers at once and merge what they say. One dead server never takes the list down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import read_result
from ostiary.gateway.errors import BadAnswer, ForPeopleAlone, GatewayError, ListTooLong, ServerTimedOut
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import InlineCoroutine, as_future, next_turn
from ostiary.mcp.errors import InvalidParams, McpError, MethodNotFound
from ostiary.mcp.merging import (
    ListKind,
    ListPage,
    OwnList,
    UnavailableServer,
    discover_result,
    merge_capabilities,
    merge_lists,
    read_page,
)
from ostiary.mcp.messages import Change, Message, write_answer
from ostiary.mcp.names import Names
from ostiary.mcp.raw_object import Raw, read_members, read_string
from ostiary.transport.inline_http import Answer, StreamedAnswer

T = TypeVar("T")

MOST_PAGES = 100
DISCOVERY_BYTES = 256 * 1024
"""The longest answer to `server/discover`: a few capabilities, and instructions that a model reads."""
ITEMS_AT_ONCE = 100
"""How many items of a list are read before others are served."""
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class MergedList:
    """A route to all servers, for one kind of list. most_bytes: the longest that is put together."""

    servers: Sequence[Server]
    kind: ListKind
    names: Names
    most_bytes: int

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The merged list."""
        message = call.message
        if "cursor" in message.params:
            raise InvalidParams("this cursor is unknown: the list has one page")
        ask = _Asking(call.about(message.asking(self.kind.method)))
        with ExitStack() as held:
            found, missing = await _gather(
                self.servers, lambda server: ask.whole_list(server, self.kind, self.names, held)
            )
            return Answer(200, write_answer(message.id or b"null", "result", self._merged(found, missing)))

    def _merged(self, found: Sequence[tuple[Server, OwnList]], missing: list[UnavailableServer]) -> bytes:
        lists, size = [], 0
        for server, own in found:
            size += len(own.text)
            if size > self.most_bytes:
                size -= len(own.text)
                missing.append(server.health.missing(ListTooLong.step))
            else:
                lists.append(own)
        return merge_lists(self.kind, lists, missing, SERVER_INFO)


@dataclass(frozen=True, slots=True)
class MergedDiscovery:
    """A route to all servers, for `server/discover`."""

    servers: Sequence[Server]

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """What the federation can do."""
        ask = _Asking(call)
        found, missing = await _gather(self.servers, ask.discovery)
        capabilities = merge_capabilities([result for _, result in found])
        result = discover_result(capabilities, _instructions(found), missing, SERVER_INFO)
        return Answer(200, write_answer(call.message.id or b"null", "result", result))


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on behalf of one caller."""

    call: Call

    async def result(self, server: Server, most_bytes: int, change: Change | None = None) -> Raw:
        answer, message_id = await server.forward(self.call, change, b"", most_bytes)
        kind, value = await read_result(server, answer, message_id, most_bytes)
        if kind == "error":
            raise _refused(server, self.call.message.method.decode(), value)
        return value

    async def discovery(self, server: Server) -> Raw:
        """Its answer to `server/discover`, with what is merged of it in its proper form."""
        result = await self.result(server, DISCOVERY_BYTES)
        members = read_members(result)
        read_members(members.get("capabilities", b"{}"))
        read_string(members.get("instructions", b'""'), "instructions")
        return result

    async def whole_list(
        self, server: Server, kind: ListKind, names: Names, held: ExitStack
    ) -> OwnList | None:
        """All pages as one; None when the server has no such list. held: gives back what is held of it."""
        own = OwnList(server.name)
        left = server.lists.budget.bytes
        cursors: set[str | None] = {None}
        cursor: str | None = None
        while True:
            change = None if cursor is None else ("cursor", msgspec.json.encode(cursor))
            try:
                result = await self.result(server, left, change)
            except MethodNotFound:
                if cursor is None:
                    return None
                raise
            left -= len(result)
            server.lists.hold(len(result), self.call.account, held)
            page = read_page(kind, result)
            if own.count + len(page.items) > server.lists.budget.items:
                raise ListTooLong(f"server {server.name}: more than {server.lists.budget.items} {kind.items}")
            await _add(own, kind, page, names)
            cursor = page.next_cursor
            if cursor is None:
                return own
            if cursor in cursors or len(cursors) > MOST_PAGES:
                raise BadAnswer(f"server {server.name}: its list of {kind.items} does not end")
            cursors.add(cursor)


async def _add(own: OwnList, kind: ListKind, page: ListPage, names: Names) -> None:
    for number, _ in enumerate(own.add(kind, page, names), start=1):
        if number % ITEMS_AT_ONCE == 0:
            await next_turn()


async def _gather(
    servers: Sequence[Server], ask: Callable[[Server], InlineCoroutine[T | None]]
) -> tuple[list[tuple[Server, T]], list[UnavailableServer]]:
    """What each server says, in their order, and which said nothing. An answer of None is left out.

    Each has its own timeout for all that it says, however many pages that is.
    """
    asked: list[tuple[Server, asyncio.Future[T | UnavailableServer | None], asyncio.TimerHandle]] = []
    found: list[tuple[Server, T]] = []
    missing: list[UnavailableServer] = []
    loop = asyncio.get_running_loop()
    for server in servers:
        skipped = server.health.skip()
        if skipped is not None:
            missing.append(skipped)
        else:
            future = as_future(_said(server, ask))
            asked.append((server, future, loop.call_later(server.session.timeout, future.cancel)))
    try:
        for server, future, _ in asked:
            try:
                value = await future
            except asyncio.CancelledError:
                value = server.health.missing(ServerTimedOut.step)
            if isinstance(value, UnavailableServer):
                missing.append(value)
            elif value is not None:
                found.append((server, value))
    finally:
        for _, future, timer in asked:
            timer.cancel()
            future.cancel()
    return found, missing


async def _said(
    server: Server, ask: Callable[[Server], InlineCoroutine[T | None]]
) -> T | UnavailableServer | None:
    try:
        return await ask(server)
    except ForPeopleAlone:
        return None
    except McpError as error:
        if isinstance(error, ListTooLong):
            record.server_failed(server.name, error)
        return server.health.missing(error.step if isinstance(error, GatewayError) else "answer")


def _refused(server: Server, method: str, error: Raw) -> McpError:
    members = read_members(error)
    if bytes(members.get("code", b"")) == b"%d" % MethodNotFound.code:
        return MethodNotFound(method)
    return BadAnswer(f"server {server.name}: it answered {method} with an error")


def _instructions(found: Sequence[tuple[Server, Raw]]) -> str | None:
    """The servers' own words, each under its name, and with no line that could begin with another's."""
    texts = []
    for server, result in found:
        members = read_members(result)
        if "instructions" in members:
            text = read_string(members["instructions"], "instructions")
            indented = _LINE_BREAK.sub("\n  ", text)
            texts.append(f"{server.name}: {indented}")
    return "\n\n".join(texts) or None
