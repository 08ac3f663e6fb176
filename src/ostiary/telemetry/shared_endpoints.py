"""What operators ask of all the processes at the same addresses: whichever takes it asks each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from ostiary.telemetry.merged_metrics import merged_metrics
from ostiary.telemetry.metrics import CONTENT_TYPE
from ostiary.telemetry.operators import Operators

AskAll = Callable[[str], Awaitable[Mapping[int, tuple[int, bytes]]]]
"""A path → status and body of each process's answer; without those that are not there."""
Merge = Callable[[Mapping[int, Mapping[str, Any]]], Mapping[str, Any]]
"""The number of a process → how it stands with it; all of them as one."""
_UNKEPT = {"cache-control": "no-store"}
READY = 200


def shared_telemetry_app(ask_all: AskAll, own: ASGIApp, *, operators: Operators, merged: Merge) -> Router:
    """The listener's application. own: what this process answers for itself, which is all the rest."""

    async def readiness(_: Request) -> Response:
        answers = await ask_all("/readyz")
        reasons = {
            f"worker {index}": _reasons(body) for index, (status, body) in answers.items() if status != READY
        }
        if reasons or not answers:
            return JSONResponse({"status": "not ready", "reasons": reasons}, 503, headers=_UNKEPT)
        return JSONResponse({"status": "ready"}, headers=_UNKEPT)

    async def counts(_: Request) -> Response:
        answers = await ask_all("/metrics")
        documents = {index: body for index, (_, body) in answers.items()}
        return Response(merged_metrics(documents), headers=_UNKEPT | {"content-type": CONTENT_TYPE})

    async def status(request: Request) -> Response:
        refusal = operators.refusal(request)
        if refusal is not None:
            return refusal
        answers = await ask_all("/status")
        states = {index: _read(body) for index, (status, body) in answers.items() if status == READY}
        return JSONResponse(merged(states), headers=_UNKEPT)

    routes = [
        Route("/readyz", readiness),
        Route("/metrics", counts),
        Route("/status", status),
        Mount("/", own),
    ]
    return Router(routes, redirect_slashes=False)


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        state = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return state if isinstance(state, dict) else {}


def _reasons(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)["reasons"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "it answers nonsense"
