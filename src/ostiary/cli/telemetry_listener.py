"""What operators see of what runs: who hears of calls, and what the telemetry listener answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ostiary.transport.listeners import Listener

if TYPE_CHECKING:
    from prometheus_client.registry import Collector
    from starlette.types import ASGIApp

    from ostiary.authserver import AuthServer
    from ostiary.config import OstiaryFile
    from ostiary.gateway import Gateway
    from ostiary.gateway.observation.observer import Observer
    from ostiary.telemetry.endpoints import Check
    from ostiary.transport.workers import Worker

    TelemetryApp = Callable[..., ASGIApp]
    """What the telemetry listener answers. operators: who may see more than counts, if not everybody."""


@contextlib.asynccontextmanager
async def observing(file: OstiaryFile) -> AsyncIterator[Observer | None]:
    """Who hears of calls of the gateway; nobody where nobody asks. Raises AuditUnusable."""
    telemetry = file.telemetry
    if file.gateway is None or (telemetry.listen is None and telemetry.audit is None):
        yield None
        return
    from ostiary.gateway.observation.observer import Observer  # noqa: PLC0415

    metrics = None
    if telemetry.listen is not None:
        from ostiary.gateway.observation.call_metrics import CallMetrics  # noqa: PLC0415 - a library of its own

        metrics = CallMetrics()
    if telemetry.audit is None:
        yield Observer(metrics)
        return
    from ostiary.gateway.observation.audit_events import GatewayEvent  # noqa: PLC0415
    from ostiary.gateway.observation.call_audit import CallAudit  # noqa: PLC0415
    from ostiary.telemetry.queued_audit import QueuedAudit  # noqa: PLC0415
    from ostiary.transport.addresses import network_of  # noqa: PLC0415

    counted = [GatewayEvent.CALLER_REFUSED]
    async with QueuedAudit(telemetry.audit.path, time.time, counted=counted, source=network_of) as audit:
        yield Observer(metrics, CallAudit(audit, has_arguments=telemetry.audit_arguments))


def telemetry_app_for(
    file: OstiaryFile, authserver: AuthServer | None, gateway: Gateway | None
) -> TelemetryApp | None:
    """The application for these operators."""
    if file.telemetry.listen is None:
        return None
    from ostiary.telemetry.endpoints import telemetry_app  # noqa: PLC0415
    from ostiary.telemetry.metrics import Metrics  # noqa: PLC0415

    counts: list[Collector] = []
    checks: dict[str, Check] = {} if gateway is None else {**gateway.readiness()}
    if gateway is not None and gateway.observer is not None and gateway.observer.metrics is not None:
        from ostiary.gateway.state_metrics import StateMetrics  # noqa: PLC0415
        from ostiary.gateway.status import gateway_state  # noqa: PLC0415

        counts += [*gateway.observer.metrics.all, StateMetrics(partial(gateway_state, gateway))]
    if authserver is not None:
        from ostiary.authserver.server.metrics import AuthServerMetrics  # noqa: PLC0415

        counted = AuthServerMetrics(idp.name for idp in authserver.settings.upstream_idps)
        counted.listen(authserver.services)
        counts += counted.all
        checks |= authserver.readiness()
    return partial(telemetry_app, Metrics(counts), checks, state=partial(_state, gateway))


def _state(gateway: Gateway | None) -> Mapping[str, Any]:
    """How it stands, by part."""
    if gateway is None:
        return {}
    from ostiary.gateway.status import gateway_state  # noqa: PLC0415

    state = gateway_state(gateway)
    return {} if state is None else {"gateway": state.told()}


def _merged(states: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several workers as one."""
    from ostiary.gateway.merged_status import merged_states  # noqa: PLC0415

    gateways = [state["gateway"] for state in states.values() if "gateway" in state]
    return {"workers": len(states), **({"gateway": merged_states(gateways)} if gateways else {})}


def telemetry_listeners(
    file: OstiaryFile, app_for: TelemetryApp | None, worker: Worker | None
) -> list[Listener]:
    """Of telemetry; of one of several workers, for all of them."""
    if app_for is None or file.telemetry.listen is None:
        return []
    from ostiary.telemetry.config import LISTEN  # noqa: PLC0415
    from ostiary.telemetry.operators import Operators  # noqa: PLC0415

    operators = Operators(file.telemetry.status_token, file.telemetry.listen.is_loopback)
    app = app_for(operators=operators)
    if worker is not None:
        from ostiary.telemetry.shared_endpoints import shared_telemetry_app  # noqa: PLC0415

        app = shared_telemetry_app(worker.ask_all, app, operators=operators, merged=_merged)
    return [Listener(name=LISTEN, app=app, is_for_programs_alone=True)]
