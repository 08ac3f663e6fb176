"""Two tools instead of hundreds: one finds, in the caller's own list, and one calls what was found.

A model that is shown hundreds of tools has little room for anything else. What is called goes the way of any
call: to the same server, with the same credential, and with the same errors.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.gateway.catalog.listed_names import ListedRoute
from ostiary.gateway.catalog.merged_lists import MergedList
from ostiary.gateway.catalog.routes import Federation, Route, require
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.standing_streams import Follow
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.tool_index import ToolIndex
from ostiary.inline_coroutines import hopping
from ostiary.mcp.eras import SERVER_INFO_KEY, UNAVAILABLE_KEY
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.merging import LIST_KINDS, OwnList, UnavailableServer
from ostiary.mcp.messages import Message, read_name, write_answer
from ostiary.mcp.parameter_headers import parameter_headers
from ostiary.mcp.raw_object import Members, Raw, read_members, write_object
from ostiary.transport.inline_http import Answer, StreamedAnswer

FIND, CALL = "find_tools", "call_tool"
MOST_FOUND = 20
FOUND = 5
"""How many tools are told, where nobody says how many."""
MOST_BYTES = 256 * 1024
"""Of all that are told at once: a model reads them."""
LONGEST_QUERY = 1000
MOST_INDEXES = 8
"""Lists that callers see, of which the index is kept."""
_TOOLS = LIST_KINDS["tools/list"]

TOOLS: list[dict[str, Any]] = [
    {
        "name": FIND,
        "title": "Find tools",
        "description": "Find tools by what they are about. Gives the best ones, with what each wants.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "Words about what is to be done."},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": FOUND},
            },
            "required": ["query"],
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": CALL,
        "title": "Call a tool",
        "description": f"Call a tool that {FIND} gave, by its name, with what its inputSchema wants.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": f"The name, as {FIND} gave it."},
                "arguments": {"type": "object", "description": "As the tool's inputSchema wants them."},
            },
            "required": ["name"],
        },
    },
]


class ToolSearch:
    """The routes of an endpoint whose tools are found. All but tools is as at any other."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._indexes = _Indexes()

    def route(self, message: Message) -> Route:
        """By the method, then by the name."""
        if message.method == b"tools/list":
            return _TwoTools()
        if message.method == b"tools/call":
            name = read_name(message.name or b'""')
            if name == FIND:
                listed = self._federation.route(message.asking("tools/list"))
                assert isinstance(listed, MergedList)  # noqa: S101 - for the type checker: it is a list
                return _Find(listed, self._indexes)
            if name == CALL:
                return _CallFound(self._federation)
        return self._federation.route(message)

    def hand_over(self, follow: Follow | None) -> None:
        """As of every Routes."""
        self._federation.hand_over(follow)


@dataclass(frozen=True, slots=True)
class _TwoTools:
    """A route to our own two tools."""

    def target(self, message: Message) -> RouteTarget:
        return target_of(None, message.method)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        result = {
            "resultType": "complete",
            "tools": TOOLS,
            "ttlMs": 3_600_000,
            "cacheScope": "public",
            "_meta": {SERVER_INFO_KEY: SERVER_INFO},
        }
        return Answer(200, write_answer(call.id, "result", msgspec.json.encode(result)))


@dataclass(frozen=True, slots=True)
class _Find:
    """A route to the caller's own list, for the tools in it that are about something."""

    listed: MergedList
    indexes: _Indexes

    def target(self, message: Message) -> RouteTarget:
        return target_of(None, message.method, FIND)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        said = _members(call.message.params.get("arguments", b"{}"))
        query, limit = _value(said.get("query")), _value(said.get("limit"))
        limit = FOUND if limit is None else limit
        if not isinstance(query, str) or not query.strip() or len(query) > LONGEST_QUERY:
            return _refused(call, f"query is words about what is to be done, {LONGEST_QUERY} letters at most")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_FOUND:
            return _refused(call, f"limit is a whole number from 1 to {MOST_FOUND}")
        with ExitStack() as held:
            lists, missing = await self.listed.own_lists(call, held)
            found = await self.indexes.find(lists, query, limit)
            return _told(call, found, missing)


class _Indexes:
    """Those of the lists that were looked into last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, ...], ToolIndex] = OrderedDict()
        self.find = hopping(self._find)

    async def _find(self, lists: list[OwnList], query: str, most: int) -> list[bytes]:
        """The JSON of the best tools."""
        tools = {name: item.text for own in lists for name, item in own.items.items()}
        key = tuple(own.digest for own in lists)
        index = self._kept.get(key)
        if index is None:
            index = self._kept[key] = await asyncio.to_thread(ToolIndex, tools)
            if len(self._kept) > MOST_INDEXES:
                self._kept.popitem(last=False)
        names = await asyncio.to_thread(index.find, query, most)
        return [tools[name] for name in names]


@dataclass(frozen=True, slots=True)
class _CallFound:
    """A route to whatever the arguments name."""

    federation: Federation

    def target(self, message: Message) -> RouteTarget:
        meant = _meant(message)
        return self.federation.route(meant).target(meant)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        meant = _meant(call.message)
        route = self.federation.route(meant)
        if isinstance(route, ForwardRoute):
            await require(route, call.about(meant))
            await self.federation.listed.learn_once(call.about(meant), route.server, _TOOLS)
            route = self._with_headers(route, meant)
        elif isinstance(route, ListedRoute):
            forward = route.forward
            route = replace(route, forward=lambda own: self._with_headers(forward(own), meant))
        return await route.follow(call.about(meant))

    def _with_headers(self, route: ForwardRoute, meant: Message) -> ForwardRoute:
        """The arguments that the tool wants in headers too, which only who knows its schema can send."""
        names = self.federation.listed.parameters(route.server.name, route.meant or "")
        if not names:
            return route
        headers = parameter_headers(names, _value(meant.params["arguments"]))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return replace(route, name_line=route.name_line + lines.encode("latin-1"))


def _meant(message: Message) -> Message:
    """The call of what the arguments name, with the arguments for it. Raises InvalidParams."""
    said = _members(message.params.get("arguments", b"{}"))
    if "name" not in said:
        raise InvalidParams(f"arguments.name is missing: the name of a tool, as {FIND} gave it")
    name = msgspec.json.encode(read_name(bytes(said["name"]), "arguments.name"))
    arguments = said.get("arguments", msgspec.Raw(b"{}"))
    if bytes(arguments).lstrip()[:1] != b"{":
        raise InvalidParams("arguments.arguments must be an object, as the tool's inputSchema wants it")
    return Message(
        message.method, message.id, write_object({**message.params, "name": name, "arguments": arguments})
    )


def _value(raw: Raw | None) -> Any:
    """What a raw value is; None for nothing, and for what has no value here."""
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _members(arguments: Raw) -> Members:
    try:
        return read_members(arguments)
    except McpError:
        raise InvalidParams("params.arguments must be an object") from None


def _told(call: Call, tools: list[bytes], missing: list[UnavailableServer]) -> Answer:
    told: list[bytes] = []
    size = 0
    for tool in tools:
        size += len(tool)
        if told and size > MOST_BYTES:
            break
        told.append(tool)
    found = b'{"tools":[%s]}' % b",".join(told)
    text = found.decode() if told else "Nothing is about that. Try other words, or fewer."
    meta: dict[str, Any] = {SERVER_INFO_KEY: SERVER_INFO}
    if missing:
        meta[UNAVAILABLE_KEY] = [one.told() for one in missing]
    return _result(call, text, structuredContent=msgspec.Raw(found), _meta=meta)


def _refused(call: Call, why: str) -> Answer:
    """A tool's own error, which a model reads and mends."""
    return _result(call, why, isError=True, _meta={SERVER_INFO_KEY: SERVER_INFO})


def _result(call: Call, text: str, **more: Any) -> Answer:
    content = [{"type": "text", "text": text}]
    result = {"resultType": "complete", "content": content, **more}
    return Answer(200, write_answer(call.id, "result", msgspec.json.encode(result)))
