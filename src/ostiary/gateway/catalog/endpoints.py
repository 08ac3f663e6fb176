"""Which endpoints there are, and what they share: what servers said last, and who hears of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.gathering import Memory
from ostiary.gateway.catalog.last_answers import LastAnswers
from ostiary.gateway.catalog.listen_route import ChangeFeeds
from ostiary.gateway.catalog.merged_lists import ListSize, Shown
from ostiary.gateway.catalog.routes import Federation, Routes, SingleServer
from ostiary.gateway.config import GatewaySettings
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.names import Names
from ostiary.mcp.views import View

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer

FEDERATED = "/mcp"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Those of one gateway. routes: by path."""

    routes: Mapping[str, Routes]
    feeds: ChangeFeeds

    def close(self) -> None:
        """Tell nobody of changes any more."""
        self.feeds.close()


def make_endpoints(
    settings: GatewaySettings,
    servers: Mapping[str, Server],
    clock: Callable[[], float],
    authorizer: Callable[[str], Authorizer] | None = None,
) -> Endpoints:
    """All that the settings name. clock: seconds since the epoch; authorizer: of the endpoint at a path."""
    limits = settings.limits
    last = LastAnswers(
        kept_for=settings.list_grace.total_seconds(), most_bytes=limits.kept_list_bytes, clock=clock
    )
    feeds = ChangeFeeds(
        last,
        most_of_server=max(1, limits.server_connections // 2),
        most_of_caller=limits.caller_subscriptions,
    )
    memory = Memory(last, settings.list_timeout.total_seconds(), clock)
    making = _Making(settings, servers, memory, feeds, authorizer)
    routes = {FEDERATED: making.federation(), **making.own(), **making.virtual()}
    return Endpoints(routes, feeds)


@dataclass(frozen=True, slots=True)
class _Making:
    settings: GatewaySettings
    servers: Mapping[str, Server]
    memory: Memory
    feeds: ChangeFeeds
    authorizer: Callable[[str], Authorizer] | None

    def federation(self) -> Routes:
        """All servers."""
        views = {name: server.view() for name, server in self.settings.servers.items() if server.are_there}
        return self._federation(FEDERATED, self.servers.values(), views, self._as_shown())

    def own(self) -> dict[str, Routes]:
        """Each server alone, under its own names."""
        paths = {f"/servers/{name}/mcp": server for name, server in self.servers.items()}
        return {path: self._alone(path, server) for path, server in paths.items()}

    def virtual(self) -> dict[str, Routes]:
        """What is chosen of them."""
        made: dict[str, Routes] = {}
        for name, virtual in self.settings.virtual_servers.items():
            patterns = virtual.patterns()
            views = {
                server: self.settings.servers[server].view(only, virtual.overrides.get(server))
                for server, only in patterns.items()
            }
            chosen = [server for server in self.servers.values() if server.name in patterns]
            is_searched = virtual.tools == "search"
            shown = self._as_shown(virtual.instructions, is_searched=is_searched)
            path = f"/virtual/{name}/mcp"
            routes = self._federation(path, chosen, views, shown)
            made[path] = _searched(routes) if is_searched else routes
        return made

    def _alone(self, path: str, server: Server) -> Routes:
        """Where something is said of single things, as one of many: what is not read is not understood."""
        settings = self.settings.servers[server.name]
        if not settings.are_there and self.authorizer is None:
            return SingleServer(server)
        names = Names({server.name: ""}, {server.name: settings.view()})
        return self._made(path, [server], names, self._as_shown())

    def _federation(
        self, path: str, servers: Iterable[Server], views: Mapping[str, View], shown: Shown
    ) -> Federation:
        servers = list(servers)
        names = Names({server.name: self.settings.prefix_of(server.name) for server in servers}, views)
        return self._made(path, servers, names, shown)

    def _made(self, path: str, servers: list[Server], names: Names, shown: Shown) -> Federation:
        authorizer = None if self.authorizer is None else self.authorizer(path)
        return Federation(servers, names, self.memory, self.feeds, shown, authorizer)

    def _as_shown(self, instructions: str | None = None, *, is_searched: bool = False) -> Shown:
        limits = self.settings.limits
        size = ListSize(limits.merged_list_bytes, limits.list_page_items)
        return Shown(size, instructions, is_searched)


def _searched(federation: Federation) -> Routes:
    from ostiary.gateway.catalog.tool_search import ToolSearch  # noqa: PLC0415 - with SQLite, which few want

    return ToolSearch(federation)
