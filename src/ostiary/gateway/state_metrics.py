"""How it stands with a gateway, as gauges for Prometheus: read when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ostiary.gateway.observation.call_metrics import PREFIX
from ostiary.gateway.status import GatewayState, ServerState

_OF_SERVERS: tuple[tuple[str, str, Callable[[ServerState], float | None]], ...] = (
    (
        "server_up",
        "1 while nothing is known to be wrong with a server, 0 while it or its calls fail.",
        lambda server: float(server.health in {"up", "unknown"}),
    ),
    (
        "credential_expires_timestamp_seconds",
        "When the token ends that a server is sent, where all callers have the same.",
        lambda server: server.credential.expires_at,
    ),
    (
        "credential_renewal_timestamp_seconds",
        "From when on its next use renews it; after a failure, when the next try is due.",
        lambda server: server.credential.renew_after,
    ),
    (
        "credential_failing",
        "1 while the last fetch of a server's token has failed.",
        lambda server: float(server.credential.last_error is not None),
    ),
)
_OF_GATEWAY: tuple[tuple[str, str, Callable[[GatewayState], float]], ...] = (
    ("configuration_generation", "Which of its configurations runs, from 1 on.", lambda one: one.generation),
    ("configuration_loaded_timestamp_seconds", "Since when it does.", lambda one: one.loaded_at),
    ("sessions", "Sessions of clients of earlier revisions that are remembered.", lambda one: one.sessions),
    ("streams", "Streams on which somebody listens for changes.", lambda one: one.streams),
    ("processes", "Processes of servers that are programs.", lambda one: one.processes),
)


class StateMetrics(Collector):
    """Those of one gateway."""

    def __init__(self, read: Callable[[], GatewayState | None]) -> None:
        """read: how it stands now; None before it runs."""
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        state = self._read()
        for name, meaning, of_server in _OF_SERVERS:
            family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=["server"])
            for server in () if state is None else state.servers:
                if (value := of_server(server)) is not None:
                    family.add_metric([server.name], value)
            yield family
        for name, meaning, of_gateway in _OF_GATEWAY:
            gauge = GaugeMetricFamily(f"{PREFIX}_{name}", meaning)
            if state is not None:
                gauge.add_metric([], of_gateway(state))
            yield gauge
        fetches = CounterMetricFamily(
            f"{PREFIX}_credential_fetches", "Tokens fetched for servers.", labels=["credential", "outcome"]
        )
        for credential, outcomes in ({} if state is None else state.fetches).items():
            for outcome, number in outcomes.items():
                fetches.add_metric([credential, outcome], number)
        yield fetches
