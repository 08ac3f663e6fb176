"""Ask several servers at once and merge what they say. One dead server never takes the list down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from ostiary import __version__
from ostiary.gateway.errors import BadAnswer, GatewayError
from ostiary.gateway.server import Server
from ostiary.gateway.translate import read_result
from ostiary.identity.principal import Principal
from ostiary.mcp.errors import InvalidParams, McpError, MethodNotFound
from ostiary.mcp.merging import (
    ListKind,
    Page,
    Unavailable,
    discover_result,
    merge_capabilities,
    merge_pages,
    read_page,
)
from ostiary.mcp.messages import Change, Message, write_answer
from ostiary.mcp.names import Names
from ostiary.mcp.raw_object import Raw, read_members, read_string
from ostiary.transport.direct import Answer, Request, StreamedAnswer
from ostiary.transport.stepping import Stepped, as_future

T = TypeVar("T")

MOST_PAGES = 100
SERVER_INFO = {"name": "ostiary", "version": __version__}


@dataclass(frozen=True, slots=True)
class MergedList:
    """A route to all servers, for one kind of list."""

    servers: Sequence[Server]
    kind: ListKind
    names: Names

    async def follow(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """The merged list."""
        if "cursor" in message.params:
            raise InvalidParams("this cursor is unknown: the list has one page")
        ask = _Asking(message.asking(self.kind.method), principal, request)
        found, missing = await _gather(self.servers, lambda server: ask.whole_list(server, self.kind))
        result = merge_pages(self.kind, found, self.names, missing, SERVER_INFO)
        return Answer(200, write_answer(message.id or b"null", "result", result))


@dataclass(frozen=True, slots=True)
class MergedDiscovery:
    """A route to all servers, for `server/discover`."""

    servers: Sequence[Server]

    async def follow(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """What the federation can do."""
        ask = _Asking(message, principal, request)
        found, missing = await _gather(self.servers, ask.discovery)
        capabilities = merge_capabilities([result for _, result in found])
        result = discover_result(capabilities, _instructions(found), missing, SERVER_INFO)
        return Answer(200, write_answer(message.id or b"null", "result", result))


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on behalf of one caller."""

    message: Message
    principal: Principal | None
    asked: Request

    async def result(self, server: Server, change: Change | None = None) -> Raw:
        answer, message_id = await server.forward(self.message, change, b"", self.principal, self.asked)
        kind, value = await read_result(server, answer, message_id)
        if kind == "error":
            raise _refused(server, self.message.method.decode(), value)
        return value

    async def discovery(self, server: Server) -> Raw:
        """Its answer to `server/discover`, with what is merged of it in its proper form."""
        result = await self.result(server)
        members = read_members(result)
        read_members(members.get("capabilities", b"{}"))
        read_string(members.get("instructions", b'""'), "instructions")
        return result

    async def whole_list(self, server: Server, kind: ListKind) -> Page | None:
        """All pages as one; None when the server has no such list."""
        try:
            whole = await self._page(server, kind, None)
        except MethodNotFound:
            return None
        seen: set[str] = set()
        while whole.next_cursor is not None:
            if whole.next_cursor in seen or len(seen) >= MOST_PAGES:
                raise BadAnswer(f"server {server.name}: its list of {kind.items} does not end")
            seen.add(whole.next_cursor)
            page = await self._page(server, kind, whole.next_cursor)
            whole = Page(
                items=whole.items + page.items,
                next_cursor=page.next_cursor,
                ttl_ms=min(whole.ttl_ms, page.ttl_ms),
                is_public=whole.is_public and page.is_public,
            )
        return whole

    async def _page(self, server: Server, kind: ListKind, cursor: str | None) -> Page:
        change = None if cursor is None else ("cursor", msgspec.json.encode(cursor))
        return read_page(kind, await self.result(server, change))


async def _gather(
    servers: Sequence[Server], ask: Callable[[Server], Stepped[T | None]]
) -> tuple[list[tuple[str, T]], list[Unavailable]]:
    """What each server says, in their order, and which said nothing. An answer of None is left out."""
    asked: list[tuple[Server, asyncio.Future[T | None]]] = []
    found: list[tuple[str, T]] = []
    missing: list[Unavailable] = []
    for server in servers:
        skipped = server.availability.skip()
        if skipped is not None:
            missing.append(skipped)
        else:
            asked.append((server, as_future(ask(server))))
    try:
        for server, future in asked:
            try:
                value = await future
            except McpError as error:
                step = error.step if isinstance(error, GatewayError) else "answer"
                missing.append(server.availability.missing(step))
            else:
                if value is not None:
                    found.append((server.name, value))
    finally:
        for _, future in asked:
            future.cancel()
    return found, missing


def _refused(server: Server, method: str, error: Raw) -> McpError:
    members = read_members(error)
    if bytes(members.get("code", b"")) == b"%d" % MethodNotFound.code:
        return MethodNotFound(method)
    return BadAnswer(f"server {server.name}: it answered {method} with an error")


def _instructions(found: Sequence[tuple[str, Raw]]) -> str | None:
    """The servers' own words, each under its name."""
    texts = []
    for name, result in found:
        members = read_members(result)
        if "instructions" in members:
            lines = read_string(members["instructions"], "instructions").splitlines()
            texts.append(f"{name}: " + "\n  ".join(lines))  # so that none begins with another's name
    return "\n\n".join(texts) or None
