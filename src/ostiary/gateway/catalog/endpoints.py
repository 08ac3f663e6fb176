"""Which endpoints there are, and what they share: what servers said last, and who hears of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ostiary.gateway.catalog.gathering import Memory
from ostiary.gateway.catalog.last_answers import LastAnswers
from ostiary.gateway.catalog.listen_route import ChangeFeeds
from ostiary.gateway.catalog.merged_lists import ListSize, Shown
from ostiary.gateway.catalog.rated_routes import RatedRoutes
from ostiary.gateway.catalog.routes import Federation, Routes, SingleServer
from ostiary.gateway.config import GatewaySettings
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.names import Names
from ostiary.mcp.views import View

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer
    from ostiary.gateway.rate_limits import RateLimits

FEDERATED = "/mcp"


Composition = tuple[tuple[Server, ...], tuple[Any, ...]]
"""Servers, and whatever is said of them."""


class Made(NamedTuple):
    """The routes of one endpoint, and what they are made of: of the same, no others are made."""

    routes: Routes
    of: Composition


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Those of one gateway, by path, and what outlives them: what servers said last, and who listens."""

    made: Mapping[str, Made]
    memory: Memory
    feeds: ChangeFeeds

    @property
    def routes(self) -> Mapping[str, Routes]:
        """By path."""
        return {path: made.routes for path, made in self.made.items()}

    def take_limits(self, settings: GatewaySettings) -> None:
        """What outlives them is bounded as these settings say."""
        limits, last, feeds = settings.limits, self.memory.last, self.feeds
        last.kept_for, last.most_bytes = settings.list_grace.total_seconds(), limits.kept_list_bytes
        feeds.most_of_server = max(1, limits.server_connections // 2)
        feeds.most_of_caller = limits.caller_subscriptions
        self.memory.patience = settings.list_timeout.total_seconds()

    def close(self) -> None:
        """Tell nobody of changes any more."""
        self.feeds.close()


def make_endpoints(
    settings: GatewaySettings,
    servers: Mapping[str, Server],
    clock: Callable[[], float],
    authorizer: Callable[[str], Authorizer] | None = None,
    rates: RateLimits | None = None,
    before: Endpoints | None = None,
) -> Endpoints:
    """All that the settings name. clock: seconds since the epoch; authorizer: of the endpoint at a path, the
    same for the same; rates: of all endpoints together; before: those whose place they take."""
    if before is None:
        last = LastAnswers(kept_for=0, most_bytes=0, clock=clock)
        memory, feeds = Memory(last, 0, clock), ChangeFeeds(last, most_of_server=1, most_of_caller=1)
        before = Endpoints({}, memory, feeds)
        before.take_limits(settings)
    making = _Making(settings, servers, before, authorizer, rates)
    made = {FEDERATED: making.federation(), **making.own(), **making.virtual()}
    return Endpoints(made, before.memory, before.feeds)


@dataclass(frozen=True, slots=True)
class _Making:
    settings: GatewaySettings
    servers: Mapping[str, Server]
    before: Endpoints
    authorizer: Callable[[str], Authorizer] | None
    rates: RateLimits | None

    def federation(self) -> Made:
        """All servers."""
        settings = self.settings.servers
        views = {name: server.view() for name, server in settings.items() if server.are_there}
        said = [server.overrides for server in settings.values()]
        return self._federation(FEDERATED, self.servers.values(), views, self._as_shown(), said)

    def own(self) -> dict[str, Made]:
        """Each server alone, under its own names."""
        paths = {f"/servers/{name}/mcp": server for name, server in self.servers.items()}
        return {path: self._alone(path, server) for path, server in paths.items()}

    def virtual(self) -> dict[str, Made]:
        """What is chosen of them."""
        made: dict[str, Made] = {}
        for name, virtual in self.settings.virtual_servers.items():
            patterns = virtual.patterns()
            views = {
                server: self.settings.servers[server].view(only, virtual.overrides.get(server))
                for server, only in patterns.items()
            }
            chosen = [server for server in self.servers.values() if server.name in patterns]
            is_searched = virtual.tools == "search"
            shown = self._as_shown(virtual.instructions, is_searched=is_searched)
            said = [virtual, *(self.settings.servers[server.name].overrides for server in chosen)]
            path = f"/virtual/{name}/mcp"
            made[path] = self._federation(path, chosen, views, shown, said)
        return made

    def _alone(self, path: str, server: Server) -> Made:
        """Where something is said of single things, as one of many: what is not read is not understood."""
        settings = self.settings.servers[server.name]
        if not settings.are_there and self.authorizer is None:
            return self._made(path, (server,), (), lambda: SingleServer(server))
        names = Names({server.name: ""}, {server.name: settings.view()})
        return self._many(path, (server,), names, self._as_shown(), [settings.overrides])

    def _federation(
        self,
        path: str,
        servers: Iterable[Server],
        views: Mapping[str, View],
        shown: Shown,
        said: Iterable[object],
    ) -> Made:
        servers = tuple(servers)
        prefixes = {server.name: self.settings.prefix_of(server.name) for server in servers}
        return self._many(path, servers, Names(prefixes, views), shown, [prefixes, *said])

    def _many(
        self, path: str, servers: tuple[Server, ...], names: Names, shown: Shown, said: Iterable[object]
    ) -> Made:
        """said: all that names and views are made of."""
        authorizer = None if self.authorizer is None else self.authorizer(path)

        def make() -> Routes:
            memory, feeds = self.before.memory, self.before.feeds
            federation = Federation(servers, names, memory, feeds, shown, authorizer)
            return _searched(federation) if shown.is_searched else federation

        return self._made(path, servers, (shown, authorizer, *said), make)

    def _made(
        self, path: str, servers: tuple[Server, ...], said: tuple[Any, ...], make: Callable[[], Routes]
    ) -> Made:
        before, of = self.before.made.get(path), (servers, (self.rates, *said))
        if before is not None and before.of == of:
            return before
        return Made(make() if self.rates is None else RatedRoutes(make(), self.rates), of)

    def _as_shown(self, instructions: str | None = None, *, is_searched: bool = False) -> Shown:
        limits = self.settings.limits
        size = ListSize(limits.merged_list_bytes, limits.list_page_items)
        return Shown(size, instructions, is_searched)


def _searched(federation: Federation) -> Routes:
    from ostiary.gateway.catalog.tool_search import ToolSearch  # noqa: PLC0415 - with SQLite, which few want

    return ToolSearch(federation)
