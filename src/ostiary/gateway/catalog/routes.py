"""Which server is meant, and by which name there; or which servers, for a list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Protocol

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.gateway.catalog.merged_lists import MergedDiscovery, MergedList
from ostiary.gateway.catalog.target import RouteTarget
from ostiary.gateway.catalog.translate import Rename
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.errors import InvalidParams, MethodNotFound
from ostiary.mcp.headers import NAME_HEADER, encode_value
from ostiary.mcp.merging import LIST_KINDS
from ostiary.mcp.messages import Message, read_name
from ostiary.mcp.names import Names, scheme_prefixed
from ostiary.mcp.raw_object import read_members, read_string, write_object
from ostiary.transport.inline_http import Answer, StreamedAnswer

LONGEST_REMEMBERED = 256
"""Bytes of a name whose route is kept: callers choose the names, and could fill our memory with long ones."""

COMPLETED = {"ref/prompt": "name", "ref/resource": "uri"}
"""What a completion refers to, and the member that names it: the one that the server reads."""


class Route(Protocol):
    """Where a message goes."""

    def target(self, message: Message) -> RouteTarget:
        """What it is about there. Raises InvalidParams."""

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """Go there, and give the caller's answer. Raises McpError."""


class Routes(Protocol):
    """The routes of one endpoint."""

    def route(self, message: Message) -> Route:
        """Where this message goes. Raises MethodNotFound or InvalidParams."""


class SingleServer:
    """`/servers/{name}/mcp`: everything goes to one server, names untouched."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def route(self, message: Message) -> Route:
        """To the server."""
        return ForwardRoute(self._server, _name_line(message.name))


class Federation:
    """`/mcp`: all servers, told apart by what names begin with."""

    def __init__(self, servers: Sequence[tuple[Server, str]], *, list_bytes: int) -> None:
        """servers: each with the prefix of its names, of which one at most is empty.

        list_bytes: the longest merged list.
        """
        self._list_bytes = list_bytes
        self._servers = {server.name: server for server, _ in servers}
        self._names = Names({server.name: prefix for server, prefix in servers})
        self._renames: dict[str, Rename] = {
            server.name: partial(scheme_prefixed, server.name) for server, prefix in servers if prefix
        }
        self._named = lru_cache(maxsize=4096)(self._find_named)
        self._resource = lru_cache(maxsize=4096)(self._find_resource)

    def route(self, message: Message) -> Route:
        """By the method, then by the name."""
        if message.name is not None:
            is_resource = message.method == b"resources/read"
            if len(message.name) > LONGEST_REMEMBERED:
                return (self._find_resource if is_resource else self._find_named)(message.name)
            return (self._resource if is_resource else self._named)(message.name)
        method = message.method.decode()
        if method in LIST_KINDS:
            servers = tuple(self._servers.values())
            return MergedList(servers, LIST_KINDS[method], self._names, self._list_bytes)
        if method == "server/discover":
            return MergedDiscovery(tuple(self._servers.values()))
        if method == "completion/complete":
            return self._completion(message)
        raise MethodNotFound(f"{method} is not answered here")

    def _find_named(self, raw_name: bytes) -> ForwardRoute:
        return self._relay("name", read_name(raw_name))

    def _find_resource(self, raw_uri: bytes) -> ForwardRoute:
        return self._relay("uri", read_name(raw_uri, "uri"))

    def _relay(self, key: str, meant: str) -> ForwardRoute:
        server, own = self._names.split(key, meant)
        raw = msgspec.json.encode(own)
        return ForwardRoute(
            self._servers[server], _name_line(raw), (key, raw), self._renames.get(server), own
        )

    def _completion(self, message: Message) -> ForwardRoute:
        if "ref" not in message.params:
            raise InvalidParams("params.ref is missing: it says what is completed")
        reference = read_members(message.params["ref"])
        kind = read_string(reference.get("type"), "params.ref.type")
        if kind not in COMPLETED:
            raise InvalidParams(f"params.ref.type must be one of {', '.join(COMPLETED)}")
        key = COMPLETED[kind]
        meant = read_string(reference.get(key), f"params.ref.{key}")
        server, own = self._names.split("uriTemplate" if key == "uri" else key, meant)
        own_reference = write_object({**reference, key: msgspec.json.encode(own)})
        return ForwardRoute(self._servers[server], change=("ref", own_reference), meant=own)


def _name_line(raw_name: bytes | None) -> bytes:
    """The `Mcp-Name` header for a raw name, with its line break; empty for none."""
    return b"" if raw_name is None else b"%s: %s\r\n" % (NAME_HEADER, encode_value(read_name(raw_name)))
