"""Calls and refusals, counted for Prometheus.

Counting is an addition in memory; all else is done when somebody asks. A label is the name of a
server that is configured, a method that is known here, or a word of ours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ostiary.mcp.eras import TASK_METHODS
from ostiary.mcp.merging import LIST_KINDS
from ostiary.mcp.subscriptions import LISTEN
from ostiary.telemetry.metrics import OTHER, Count

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "ostiary_gateway"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets, in seconds."""
METHODS = frozenset(
    (
        *(b"tools/call", b"resources/read", b"prompts/get", b"completion/complete", b"server/discover"),
        *(LISTEN, *(method.encode() for method in (*LIST_KINDS, *TASK_METHODS))),
    )
)
"""What has a label of its own."""
_UNKNOWN = OTHER.encode()


class Series:
    """Calls of one method to one server."""

    __slots__ = ("buckets", "method", "outcomes", "seconds", "server")

    def __init__(self, server: str, method: str) -> None:
        self.server = server
        self.method = method
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class CallMetrics(Collector):
    """Those of one gateway."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, bytes], Series] = {}
        self.refusals = Count(f"{PREFIX}_refusals", "Callers who were turned away, and why.", ["reason"])

    @property
    def all(self) -> list[Collector]:
        """All that they are."""
        return [self, self.refusals]

    @property
    def series(self) -> Iterable[Series]:
        """Each there is."""
        return self._series.values()

    def count(self, server: str, method: bytes, outcome: str, seconds: float) -> None:
        """One more call. server: NO_SERVER where it went to none alone."""
        series = self._series.get((server, method))
        if series is None:
            series = self._of(server, method)
        outcomes = series.outcomes
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        series.buckets[bisect_left(BOUNDS, seconds)] += 1
        series.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        calls = CounterMetricFamily(
            f"{PREFIX}_calls",
            "Calls that ended, by what became of them. A call for all servers names none.",
            labels=["server", "method", "outcome"],
        )
        durations = HistogramMetricFamily(
            f"{PREFIX}_call_duration_seconds",
            "How long calls took, to the end of what was streamed.",
            labels=["server", "method"],
        )
        ends = [*map(repr, BOUNDS), "+Inf"]
        for series in sorted(self.series, key=lambda one: (one.server, one.method)):
            labels = (series.server, series.method)
            for outcome, number in sorted(series.outcomes.items()):
                calls.add_metric((*labels, outcome), number)
            buckets = list(zip(ends, accumulate(series.buckets), strict=True))
            durations.add_metric(labels, buckets, series.seconds)
        yield calls
        yield durations

    def _of(self, server: str, method: bytes) -> Series:
        """Methods are what callers say, so those unknown here are one."""
        known = method if method in METHODS else _UNKNOWN
        return self._series.setdefault((server, known), Series(server, known.decode()))
