"""A gateway whose calls are watched, in front of one server called `s`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostiary.gateway.observation.call_metrics import CallMetrics
from ostiary.gateway.observation.observer import Observer
from ostiary.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway


@pytest.fixture
def observer() -> Observer:
    return Observer(CallMetrics())


@pytest.fixture
async def caller(start_gateway: StartGateway, server: McpServer, observer: Observer) -> Caller:
    return await start_gateway(observer=observer, servers={"s": {"url": server.url, "timeout": "300ms"}})


def counted(observer: Observer, metric: str) -> dict[str, float]:
    """What is exposed of one metric: labels → value."""
    assert observer.metrics is not None
    lines = Metrics(observer.metrics.all).exposition().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith((f"{metric}{{", f"{metric} "))]
    return {labels.removeprefix(metric): float(value) for labels, _, value in found}
