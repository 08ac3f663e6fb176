"""What several processes counted, as one document."""

from __future__ import annotations

from ostiary.telemetry.merged_metrics import merged_metrics
from ostiary.telemetry.metrics import Count, Gauge, Histogram, Metrics


def document(calls: int, *, open_now: int, seconds: float) -> bytes:
    counted = Count("calls", "Calls.", ["outcome"])
    for _ in range(calls):
        counted.add("ok")
    gauge = Gauge("open_connections", "Open now.", [])
    gauge.set({(): open_now})
    took = Histogram("call_seconds", "How long.", ["server"], bounds=[0.1, 1.0])
    took.observe(seconds, "zoo")
    return Metrics([counted, gauge, took]).exposition()


def test_counts_are_added_up_and_what_is_now_stands_side_by_side() -> None:
    merged = merged_metrics(
        {0: document(2, open_now=3, seconds=0.05), 1: document(5, open_now=4, seconds=0.5)}
    )
    lines = [line for line in merged.decode().splitlines() if not line.startswith(("process_", "#"))]
    assert lines == [
        'calls_total{outcome="ok"} 7.0',
        'open_connections{worker="0"} 3.0',
        'open_connections{worker="1"} 4.0',
        'call_seconds_bucket{le="0.1",server="zoo"} 1.0',
        'call_seconds_bucket{le="1.0",server="zoo"} 2.0',
        'call_seconds_bucket{le="+Inf",server="zoo"} 2.0',
        'call_seconds_count{server="zoo"} 2.0',
        'call_seconds_sum{server="zoo"} 0.55',
    ]
    assert merged.count(b"# TYPE calls_total counter") == 1


def test_of_nobody_there_is_nothing() -> None:
    assert merged_metrics({}) == b""
