"""How it stands with a gateway: its configuration, its servers, their credentials, what is hidden.

What operators see at `/status`, with `ostiary status` and in the console; gauges of `/metrics` are read off
it. There is nothing secret in it, and nothing of any one caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ostiary.credentials.headers.headers import Dated
from ostiary.gateway.catalog.rated_routes import RatedRoutes
from ostiary.gateway.catalog.routes import Federation
from ostiary.gateway.observation.outcome import failures
from ostiary.mcp.eras import MODERN

if TYPE_CHECKING:
    from ostiary.credentials.tokens.held_token import TokenStatus
    from ostiary.gateway.gateway import Gateway
    from ostiary.gateway.observation.call_metrics import CallMetrics
    from ostiary.gateway.upstreams.server import Server

MOST_HIDDEN = 100
"""Hidden names that are told; there is room for more in lists' own `_meta`."""


@dataclass(frozen=True, slots=True)
class CredentialState:
    """What a server is sent. Times are seconds since the epoch."""

    type: str
    is_per_caller: bool
    """Whether each caller has their own, of which nothing is told here."""
    expires_at: float | None = None
    renew_after: float | None = None
    last_error: str | None = None
    needs_attention: bool = False


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server."""

    name: str
    place: str
    era: str
    """`modern`, `legacy`, or `unknown` until somebody has called it."""
    version: str | None
    health: str
    """`up`; `unreachable`, which lists leave out; `troubled`, which answers some calls; `needs_user`, which
    nobody with an account of their own there has called yet; `unknown`."""
    step: str | None
    """Where a call to it fails."""
    since: float | None
    next_try: float | None
    """When lists ask it again; calls always do."""
    credential: CredentialState
    calls: int
    failures: int
    """Calls that it did not answer, for whatever reason of its own or of its credential."""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """All of it."""

    url: str
    generation: int
    """Which of its configurations it is, from 1 on."""
    loaded_at: float
    servers: tuple[ServerState, ...]
    refusals: dict[str, int]
    """Why callers were turned away → how often."""
    fetches: dict[str, dict[str, int]]
    """Kind of credential → what became of its fetches of tokens → how many."""
    hidden: tuple[dict[str, str], ...]
    """Names that lists leave out, since a call would reach something else: `server`, `name`."""
    sessions: int
    """Of clients of earlier revisions."""
    streams: int
    """On which somebody listens."""
    processes: int
    """Of servers that are programs."""

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def gateway_state(gateway: Gateway) -> GatewayState | None:
    """As of now; None before it runs."""
    plan = gateway.plan
    if plan is None:
        return None
    metrics = None if gateway.observer is None else gateway.observer.metrics
    calls, unanswered = _counted(metrics)
    settings = plan.settings
    return GatewayState(
        url=str(settings.public_url),
        generation=plan.generation,
        loaded_at=plan.loaded_at,
        servers=tuple(
            _server_state(server, settings.servers[name].place, calls[name], unanswered[name])
            for name, server in plan.servers.items()
        ),
        refusals={} if metrics is None else metrics.refusals.of_one_label(),
        fetches=_fetches(gateway),
        hidden=tuple(_hidden(gateway)),
        sessions=len(gateway.sessions),
        streams=gateway.sessions.streams + plan.endpoints.feeds.listeners,
        processes=gateway.processes,
    )


def _server_state(server: Server, place: str, calls: int, unanswered: int) -> ServerState:
    version, away = server.session.version, server.health.state
    trouble = next(iter(server.troubles.open), None)
    if away is not None:
        health, step = "unreachable", away.step
    elif trouble is not None:
        health, step = "troubled", trouble[1]
    elif version is None:
        health, step = ("needs_user" if server.is_per_caller else "unknown"), None
    else:
        health, step = "up", None
    return ServerState(
        name=server.name,
        place=place,
        era="unknown" if version is None else "modern" if version == MODERN else "legacy",
        version=version,
        health=health,
        step=step,
        since=None if away is None else away.since,
        next_try=None if away is None else away.next_try,
        credential=_credential_state(server),
        calls=calls,
        failures=unanswered,
    )


def _credential_state(server: Server) -> CredentialState:
    credential = server.credential
    status: TokenStatus | None = credential.status() if isinstance(credential, Dated) else None
    state = CredentialState(server.credential_type, server.is_per_caller)
    if status is None:
        return state
    return CredentialState(
        server.credential_type,
        server.is_per_caller,
        status.expires_at,
        status.renew_after if status.expires_at is not None else None,
        status.last_error,
        status.needs_attention,
    )


def _fetches(gateway: Gateway) -> dict[str, dict[str, int]]:
    fetches: dict[str, dict[str, int]] = {}
    for (credential, outcome), number in sorted(gateway.fetches.items()):
        fetches.setdefault(credential, {})[outcome] = number
    return fetches


def _counted(metrics: CallMetrics | None) -> tuple[Counter[str], Counter[str]]:
    """Calls and failures, by server."""
    calls, unanswered, failed = Counter[str](), Counter[str](), failures()
    for series in () if metrics is None else metrics.series:
        number = sum(series.outcomes.values())
        calls[series.server] += number
        unanswered[series.server] += sum(
            times for outcome, times in series.outcomes.items() if outcome in failed
        )
    return calls, unanswered


def _hidden(gateway: Gateway) -> Iterator[dict[str, str]]:
    assert gateway.plan is not None  # noqa: S101 - for the type checker
    routes = gateway.plan.endpoints.routes["/mcp"]
    if isinstance(routes, RatedRoutes):
        routes = routes.within
    if isinstance(routes, Federation):
        for number, (server, name) in enumerate(routes.listed.hidden_names()):
            if number < MOST_HIDDEN:
                yield {"server": server, "name": name}
