"""Which server is meant, and by which name there; or which servers, for a list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.authorized_route import AuthorizedRoute
from ostiary.gateway.catalog.forward_route import ForwardRoute, name_line
from ostiary.gateway.catalog.gathering import Memory
from ostiary.gateway.catalog.listed_names import ListedNames, ListedRoute, may_come_twice
from ostiary.gateway.catalog.listen_route import ChangeFeeds, ListenRoute
from ostiary.gateway.catalog.merged_lists import MergedDiscovery, MergedList, Shown
from ostiary.gateway.catalog.standing_streams import Follow, StandingStreams
from ostiary.gateway.catalog.target import RouteTarget
from ostiary.gateway.catalog.task_route import TaskRoute, require_tasks
from ostiary.gateway.catalog.translate import Rename
from ostiary.gateway.policy.access import Access, Action, Kind, use_of
from ostiary.gateway.upstreams.server import Server, Special
from ostiary.gateway.upstreams.task_ids import no_such_task, server_of_task
from ostiary.mcp.change_notices import NOTICES
from ostiary.mcp.errors import InvalidParams, MethodNotFound
from ostiary.mcp.merging import LIST_KINDS
from ostiary.mcp.messages import Message, is_about_task, read_name
from ostiary.mcp.names import NAMED, Names, is_short_form
from ostiary.mcp.raw_object import read_members, read_string, write_object
from ostiary.mcp.subscriptions import LISTEN
from ostiary.mcp.tasks import ID_KEY
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer

LONGEST_REMEMBERED = 256
"""Bytes of a name whose route is kept: callers choose the names, and could fill our memory with long ones."""

_KINDS = {b"tools/call": "tools", b"prompts/get": "prompts", b"resources/read": "resources"}
"""What is named → the list that it stands in."""
_METHODS = {kind: method for method, kind in _KINDS.items()}
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

    def hand_over(self, follow: Follow | None) -> None:
        """Others take their place: who listens here goes on there; None for who has no place any more."""


class SingleServer:
    """`/servers/{name}/mcp`: everything goes to one server, names untouched."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def route(self, message: Message) -> Route:
        """To the server."""
        if is_about_task(message):
            return TaskRoute(self._server, _task_id(message))
        return ForwardRoute(self._server, name_line(message.name))

    def hand_over(self, follow: Follow | None) -> None:
        """As of every Routes. Who listens here listens to the server itself, and begins again."""
        self._server.end_listening()


class Federation:
    """`/mcp`, `/virtual/{name}/mcp`: several servers, told apart by what names begin with."""

    def __init__(
        self,
        servers: Sequence[Server],
        names: Names,
        memory: Memory,
        feeds: ChangeFeeds,
        shown: Shown,
        authorizer: Authorizer | None = None,
    ) -> None:
        """names: as they are here; memory: of what the servers said; feeds: of what they tell of changes.

        authorizer: who says what a caller may do, and sees; None where they may do all.
        """
        self._authorizer = authorizer
        self._feeds = feeds
        self._standing = StandingStreams()
        self._shown = shown
        self._memory = memory
        self._names = names
        self.listed = ListedNames(names, memory.last, memory.clock, learns_hints=authorizer is not None)
        self._servers = {server.name: server for server in servers}
        self._renames: dict[str, Rename] = {
            server.name: partial(names.here, "resources", server.name)
            for server in servers
            if names.here("resources", server.name, "") != ""
        }
        self._routes = {
            method: lru_cache(maxsize=4096)(partial(self._find, kind)) for method, kind in _KINDS.items()
        }

    def route(self, message: Message) -> Route:
        """By the method, then by the name."""
        name = message.name
        if name is not None:
            find = self._routes.get(message.method)
            if find is None or len(name) > LONGEST_REMEMBERED:
                return self._named(message, name)
            return find(name)
        method = message.method.decode()
        servers = tuple(self._servers.values())
        if method in LIST_KINDS:
            kind, size = LIST_KINDS[method], self._shown.list_size
            return MergedList(servers, kind, self.listed, self._memory, size, self._authorizer)
        if method == "server/discover":
            return MergedDiscovery(servers, self._memory, self._shown, self._authorizer)
        if message.method == LISTEN:
            told = NOTICES.keys() - ({"toolsListChanged"} if self._shown.is_searched else set())
            return ListenRoute(
                self._servers,
                self.listed,
                self._feeds,
                frozenset(told),
                self._memory.clock,
                self._standing,
                self._authorizer,
            )
        if method == "completion/complete":
            return self._completion(message)
        raise MethodNotFound(f"{method} is not answered here")

    def hand_over(self, follow: Follow | None) -> None:
        """As of every Routes."""
        self._standing.hand_over(follow)

    def _named(self, message: Message, raw_name: bytes) -> Route:
        if is_about_task(message):
            return self._task(message)
        return self._find(_KINDS[message.method], raw_name)

    def _find(self, kind: str, raw_name: bytes) -> Route:
        key = "uri" if kind == "resources" else "name"
        name = read_name(raw_name, key)
        server, own = self._names.split(kind, name)
        forward = partial(self._forward, self._servers[server], kind)
        is_pinned = self._names.view(server).override(kind, own).sha256 is not None
        if is_pinned or (kind in NAMED and is_short_form(name)):
            return ListedRoute(self.listed, self._servers[server], LIST_KINDS[f"{kind}/list"], name, forward)
        return forward(own)

    def _forward(self, server: Server, kind: str, own: str) -> ForwardRoute:
        raw = msgspec.json.encode(own)
        key = "uri" if kind == "resources" else "name"
        rename, special = self._renames.get(server.name), self._special(server, kind, own)
        route = ForwardRoute(server, name_line(raw), (key, raw), rename, own, special)
        return self._authorized(route, use_of(kind, server.name, own))

    def _special(self, server: Server, kind: str, own: str) -> Special | None:
        timeout = self._names.view(server.name).override(kind, own).timeout
        if timeout is None:
            timeout = server.own_timeout(_METHODS[kind])
        if kind == "tools":
            return Special(timeout, partial(may_come_twice, self._memory.last, server, own))
        return None if timeout is None else Special(timeout)

    def _authorized(self, route: ForwardRoute, access: Access) -> ForwardRoute:
        if self._authorizer is None:
            return route
        return AuthorizedRoute(
            route.server,
            route.name_line,
            route.change,
            route.rename,
            route.meant,
            route.special,
            authorizer=self._authorizer,
            access=access,
            listed=self.listed,
        )

    def _task(self, message: Message) -> TaskRoute:
        here = _task_id(message)
        server = self._servers.get(server_of_task(here))
        if server is None:
            require_tasks(message)
            raise no_such_task()
        return TaskRoute(server, here, self._renames.get(server.name), self._authorizer)

    def _completion(self, message: Message) -> ForwardRoute:
        if "ref" not in message.params:
            raise InvalidParams("params.ref is missing: it says what is completed")
        reference = read_members(message.params["ref"])
        kind = read_string(reference.get("type"), "params.ref.type")
        if kind not in COMPLETED:
            raise InvalidParams(f"params.ref.type must be one of {', '.join(COMPLETED)}")
        key = COMPLETED[kind]
        meant = read_string(reference.get(key), f"params.ref.{key}")
        server, own = self._names.split("resourceTemplates" if key == "uri" else "prompts", meant)
        own_reference = write_object({**reference, key: msgspec.json.encode(own)})
        route = ForwardRoute(self._servers[server], change=("ref", own_reference), meant=own)
        completed = Kind.RESOURCE if key == "uri" else Kind.PROMPT
        return self._authorized(route, Access(Action.COMPLETE, completed, server, own))


async def require(route: Route, call: Call) -> None:
    """Raise McpError unless the caller may go to this one thing."""
    if isinstance(route, ListedRoute):
        route = await route.found(call)
    if isinstance(route, AuthorizedRoute):
        await route.require(call)


def _task_id(message: Message) -> str:
    return read_name(message.name or b"", ID_KEY)
