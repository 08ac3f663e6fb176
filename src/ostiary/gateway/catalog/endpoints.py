"""Which endpoints there are, and what they share: what servers said last, and who hears of changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ostiary.gateway.catalog.gathering import Memory
from ostiary.gateway.catalog.last_answers import LastAnswers
from ostiary.gateway.catalog.listen_route import ChangeFeeds
from ostiary.gateway.catalog.merged_lists import ListSize
from ostiary.gateway.catalog.routes import Federation, Routes, SingleServer
from ostiary.gateway.config import GatewaySettings
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.names import Names

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
    settings: GatewaySettings, servers: Mapping[str, Server], clock: Callable[[], float]
) -> Endpoints:
    """All that the settings name. clock: seconds since the epoch."""
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
    size = ListSize(limits.merged_list_bytes, limits.list_page_items)
    names = Names({name: settings.prefix_of(name) for name in servers})
    routes: dict[str, Routes] = {
        FEDERATED: Federation(
            tuple(servers.values()),
            names,
            memory,
            feeds,
            list_size=size,
        )
    }
    for name, server in servers.items():
        routes[f"/servers/{name}/mcp"] = SingleServer(server)
    return Endpoints(routes, feeds)
