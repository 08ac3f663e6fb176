"""Which server is meant, and by which name there; or which servers, for a list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Protocol

import msgspec

from ostiary.gateway.federate import MergedDiscovery, MergedList
from ostiary.gateway.relay import Relay
from ostiary.gateway.server import Server
from ostiary.gateway.translate import Rename
from ostiary.identity.principal import Principal
from ostiary.mcp.errors import InvalidParams, MethodNotFound
from ostiary.mcp.headers import NAME_HEADER, encode_value
from ostiary.mcp.merging import LIST_KINDS
from ostiary.mcp.messages import Message, read_name
from ostiary.mcp.names import scheme_prefixed
from ostiary.mcp.raw_object import read_members, read_string, write_object
from ostiary.transport.direct import Answer, Request, StreamedAnswer

LONGEST_REMEMBERED = 256
"""Bytes of a name whose route is kept: callers choose the names, and could fill our memory with long ones."""


class Route(Protocol):
    """Where a message goes."""

    async def follow(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
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
        return Relay(self._server, _name_line(message.name))


class Federation:
    """`/mcp`: all servers, told apart by what names begin with."""

    def __init__(self, servers: Sequence[tuple[Server, str]]) -> None:
        """servers: each with the prefix of its names; at most one prefix is empty."""
        self._servers = [server for server, _ in servers]
        self._prefixed = sorted(
            ((prefix, server) for server, prefix in servers), key=lambda pair: -len(pair[0])
        )
        self._by_name = {server.name: server for server, prefix in servers if prefix}
        self._prefixes = {server.name: prefix for server, prefix in servers}
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
            kind = LIST_KINDS[method]
            return MergedList(self._servers, kind, self._name_here if kind.key == "name" else self._uri_here)
        if method == "server/discover":
            return MergedDiscovery(self._servers)
        if method == "completion/complete":
            return self._completion(message)
        raise MethodNotFound(f"{method} is not answered here")

    def _find_named(self, raw_name: bytes) -> Relay:
        server, own = self._split_name(read_name(raw_name))
        return self._relay(server, "name", own)

    def _find_resource(self, raw_uri: bytes) -> Relay:
        server, own = self._split_uri(read_name(raw_uri, "uri"))
        return self._relay(server, "uri", own)

    def _relay(self, server: Server, key: str, own: str) -> Relay:
        raw = msgspec.json.encode(own)
        return Relay(server, _name_line(raw), (key, raw), self._renames.get(server.name))

    def _completion(self, message: Message) -> Relay:
        if "ref" not in message.params:
            raise InvalidParams("params.ref is missing: it says what is completed")
        reference = read_members(message.params["ref"])
        key = "uri" if "uri" in reference else "name"
        meant = read_string(reference.get(key), f"params.ref.{key}")
        server, own = self._split_uri(meant) if key == "uri" else self._split_name(meant)
        own_reference = write_object({**reference, key: msgspec.json.encode(own)})
        return Relay(server, change=("ref", own_reference))

    def _split_name(self, name: str) -> tuple[Server, str]:
        for prefix, server in self._prefixed:
            if name.startswith(prefix):
                return server, name[len(prefix) :]
        known = ", ".join(f"{prefix}…" for prefix, _ in reversed(self._prefixed))
        raise InvalidParams(f"no server here has {name[:64]!r}: names begin with {known}")

    def _split_uri(self, uri: str) -> tuple[Server, str]:
        name, plus, own = uri.partition("+")
        if plus and name in self._by_name:
            return self._by_name[name], own
        if self._prefixed and self._prefixed[-1][0] == "":
            return self._prefixed[-1][1], uri
        known = ", ".join(f"{name}+…" for name in self._by_name)
        raise InvalidParams(f"no server here has this resource: URIs begin with {known}")

    def _name_here(self, server: str, name: str) -> str:
        return self._prefixes[server] + name

    def _uri_here(self, server: str, uri: str) -> str:
        return scheme_prefixed(server, uri) if self._prefixes[server] else uri


def _name_line(raw_name: bytes | None) -> bytes:
    """The `Mcp-Name` header for a raw name, with its line break; empty for none."""
    return b"" if raw_name is None else b"%s: %s\r\n" % (NAME_HEADER, encode_value(read_name(raw_name)))
