"""What operators ask: is it alive, can it serve, how much does it do? Never on a public port.

/healthz   200 while the process works
/readyz    200 while it can serve, else 503 and why
/metrics   counts, in the format of Prometheus
/status    how it stands with servers and credentials; for operators
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router

from ostiary.telemetry.metrics import CONTENT_TYPE, Metrics
from ostiary.telemetry.operators import EVERYBODY_HERE, Operators

Check = Callable[[], Awaitable[str | None]]
"""Why it cannot serve; None while it can."""

State = Callable[[], Mapping[str, Any]]
"""How it stands, by the name of the part; as JSON has it."""

_UNKEPT = {"cache-control": "no-store"}


def telemetry_app(
    metrics: Metrics,
    checks: Mapping[str, Check],
    *,
    state: State = dict,
    operators: Operators = EVERYBODY_HERE,
    routes: Sequence[BaseRoute] = (),
) -> Router:
    """The listener's application. checks: by the name of what they look at; routes: of what else there is."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_UNKEPT)

    async def readiness(_: Request) -> Response:
        found = {name: await check() for name, check in checks.items()}
        reasons = {name: reason for name, reason in found.items() if reason is not None}
        if not reasons:
            return JSONResponse({"status": "ready"}, headers=_UNKEPT)
        return JSONResponse({"status": "not ready", "reasons": reasons}, 503, headers=_UNKEPT)

    async def counts(_: Request) -> Response:
        return Response(metrics.exposition(), headers=_UNKEPT | {"content-type": CONTENT_TYPE})

    async def status(request: Request) -> Response:
        return operators.refusal(request) or JSONResponse(state(), headers=_UNKEPT)

    return Router(
        [
            Route("/healthz", health),
            Route("/readyz", readiness),
            Route("/metrics", counts),
            Route("/status", status),
            *routes,
        ],
        redirect_slashes=False,
    )
