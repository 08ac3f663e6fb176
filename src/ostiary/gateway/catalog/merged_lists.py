"""Many servers' lists as one, and what they can do. One dead server never takes the list down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.gathering import Memory, gather
from ostiary.gateway.catalog.listed_names import ListedNames
from ostiary.gateway.catalog.permitted import permitted, visible
from ostiary.gateway.catalog.questions import DiscoveryQuestion
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.errors import ListTooLong
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.cursors import Cursor, read_cursor
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.merging import (
    ListKind,
    OwnDiscovery,
    OwnList,
    UnavailableServer,
    cut_page,
    discover_result,
    merge_capabilities,
    merge_lists,
)
from ostiary.mcp.messages import Message, read_name, write_answer
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer

_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class ListSize:
    """How long a merged list may be, and of how many items its pages are."""

    bytes: int
    page_items: int


@dataclass(frozen=True, slots=True)
class Shown:
    """How an endpoint of several servers shows itself. instructions: in place of the servers' own."""

    list_size: ListSize
    instructions: str | None = None
    is_searched: bool = False
    """Whether its tools are found, and not listed."""


@dataclass(frozen=True, slots=True)
class MergedList:
    """A route to all servers, for one kind of list."""

    servers: Sequence[Server]
    kind: ListKind
    names: ListedNames
    memory: Memory
    size: ListSize
    authorizer: Authorizer | None = None
    """Who says what of it a caller sees; None for all."""

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The merged list."""
        message = call.message
        after = None
        if "cursor" in message.params:
            after = read_cursor(read_name(message.params["cursor"], "cursor"), self.kind.method)
        with ExitStack() as held:
            lists, missing = await self.own_lists(call, held, after)
            page, following = cut_page(self.kind.method, lists, after, self.size.page_items)
            result = merge_lists(
                self.kind,
                page,
                missing,
                SERVER_INFO,
                is_paged=after is not None or following is not None,
                following=following,
            )
            return Answer(200, write_answer(call.id, "result", result))

    async def own_lists(
        self, call: Call, held: ExitStack, after: Cursor | None = None
    ) -> tuple[list[OwnList], list[UnavailableServer]]:
        """What each server adds, as far as all of it together is not too long, and which add nothing new.

        after: where the list goes on; what comes before it is not asked for. Raises InvalidParams.
        """
        asked = self._from(after, visible(self.servers, self.authorizer, call.principal))
        question = self.names.question(call, self.kind)
        found, missing = await gather(question, asked, self.memory, held)
        servers = {server.name: server for server in asked}
        lists, size = [], 0
        for whole in found:
            own = await permitted(whole, self.kind.items, self.authorizer, call.principal)
            if size + own.size > self.size.bytes:
                missing.append(servers[own.server].health.missing(ListTooLong.step))
            else:
                size += own.size
                lists.append(own)
        return lists, missing

    def _from(self, after: Cursor | None, servers: Sequence[Server]) -> Sequence[Server]:
        if after is None:
            return servers
        for number, server in enumerate(servers):
            if server.name == after.server:
                return servers[number:]
        raise InvalidParams(f"this cursor is of server {after.server}, which is not here: begin again")


@dataclass(frozen=True, slots=True)
class MergedDiscovery:
    """A route to all servers, for `server/discover`."""

    servers: Sequence[Server]
    memory: Memory
    shown: Shown
    authorizer: Authorizer | None = None

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """What the federation can do."""
        servers = visible(self.servers, self.authorizer, call.principal)
        with ExitStack() as held:
            question = DiscoveryQuestion(call, self.memory.last)
            found, missing = await gather(question, servers, self.memory, held)
        capabilities, told = merge_capabilities(found), self.shown.instructions
        if told is None:
            told = _instructions(found)
        if self.shown.is_searched:
            capabilities["tools"] = {}
        result = discover_result(capabilities, told, missing, SERVER_INFO)
        return Answer(200, write_answer(call.id, "result", result))


def _instructions(found: Sequence[OwnDiscovery]) -> str | None:
    """The servers' own words, each under its name, and with no line that could begin with another's."""
    texts = [
        f"{own.server}: {_LINE_BREAK.sub(chr(10) + '  ', own.instructions)}"
        for own in found
        if own.instructions is not None
    ]
    return "\n\n".join(texts) or None
