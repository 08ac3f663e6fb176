"""Many servers' lists as one, and what they can do. One dead server never takes the list down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.gathering import Memory, gather
from ostiary.gateway.catalog.listed_names import ListedNames
from ostiary.gateway.catalog.questions import DiscoveryQuestion
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.errors import ListTooLong
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.merging import (
    ListKind,
    OwnDiscovery,
    OwnList,
    UnavailableServer,
    discover_result,
    merge_capabilities,
    merge_lists,
)
from ostiary.mcp.messages import Message, write_answer
from ostiary.transport.inline_http import Answer, StreamedAnswer

_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class MergedList:
    """A route to all servers, for one kind of list. most_bytes: the longest that is put together."""

    servers: Sequence[Server]
    kind: ListKind
    names: ListedNames
    memory: Memory
    most_bytes: int

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The merged list."""
        message = call.message
        if "cursor" in message.params:
            raise InvalidParams("this cursor is unknown: the list has one page")
        with ExitStack() as held:
            lists, missing = await self.own_lists(call, held)
            result = merge_lists(self.kind, lists, missing, SERVER_INFO)
            return Answer(200, write_answer(message.id or b"null", "result", result))

    async def own_lists(self, call: Call, held: ExitStack) -> tuple[list[OwnList], list[UnavailableServer]]:
        """What each server adds, as far as all of it together is not too long, and which add nothing new."""
        question = self.names.question(call, self.kind)
        found, missing = await gather(question, self.servers, self.memory, held)
        servers = {server.name: server for server in self.servers}
        lists, size = [], 0
        for own in found:
            if size + own.size > self.most_bytes:
                missing.append(servers[own.server].health.missing(ListTooLong.step))
            else:
                size += own.size
                lists.append(own)
        return lists, missing


@dataclass(frozen=True, slots=True)
class MergedDiscovery:
    """A route to all servers, for `server/discover`."""

    servers: Sequence[Server]
    memory: Memory

    def target(self, message: Message) -> RouteTarget:
        """All of the federation."""
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """What the federation can do."""
        with ExitStack() as held:
            question = DiscoveryQuestion(call, self.memory.last)
            found, missing = await gather(question, self.servers, self.memory, held)
        result = discover_result(merge_capabilities(found), _instructions(found), missing, SERVER_INFO)
        return Answer(200, write_answer(call.message.id or b"null", "result", result))


def _instructions(found: Sequence[OwnDiscovery]) -> str | None:
    """The servers' own words, each under its name, and with no line that could begin with another's."""
    texts = [
        f"{own.server}: {_LINE_BREAK.sub(chr(10) + '  ', own.instructions)}"
        for own in found
        if own.instructions is not None
    ]
    return "\n\n".join(texts) or None
