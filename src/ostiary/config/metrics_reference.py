"""The reference page of metrics, drawn from those that are exposed: it cannot forget one.

python -m ostiary.config.metrics_reference > docs/reference/metrics.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ostiary.authserver.server.metrics import AuthServerMetrics
from ostiary.gateway.observation.call_metrics import BOUNDS, METHODS, CallMetrics
from ostiary.gateway.observation.outcome import CRASHED, OK, SERVER_ERROR, WITHDRAWN, error_outcomes
from ostiary.gateway.state_metrics import StateMetrics
from ostiary.oauth.refusal import Refusal

_HEAD = """\
# Metrics

Drawn from the code by `python -m ostiary.config.metrics_reference`. With `telemetry.listen` they are at
`/metrics`, for Prometheus, beside what the system says of the process (`process_...`). With `--workers`
counts are of all together; of what is so many now each says its `worker`.
"""


def metrics_page() -> str:
    """The page as Markdown."""
    labels = [
        ("server", "a server's name in the configuration; empty for what is for all, or for none"),
        ("method", ", ".join(f"`{method.decode()}`" for method in sorted(METHODS)) + ", `other`"),
        ("outcome", ", ".join(f"`{word}`" for word in outcomes())),
        ("reason", "the outcome, or of a token: " + ", ".join(f"`{word.value}`" for word in sorted(Refusal))),
    ]
    ends = ", ".join(f"{bound:g}" for bound in BOUNDS)
    return "\n".join(
        [
            _HEAD,
            "## Of a gateway",
            "",
            *_table([*CallMetrics().all, StateMetrics(lambda: None)]),
            "",
            f"Buckets end at {ends} seconds. Labels are these, and never what a caller sends:",
            "",
            "| label | is |",
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in labels),
            "",
            "## Of an authorization server",
            "",
            *_table(AuthServerMetrics([]).all),
            "",
        ]
    )


def outcomes() -> list[str]:
    """What may become of a call."""
    return [OK, SERVER_ERROR, WITHDRAWN, CRASHED, *sorted(error_outcomes())]


def _table(collectors: Iterable[Collector]) -> Iterator[str]:
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for collector in collectors:
        for metric in collector.collect():
            labels = ", ".join(f"`{name}`" for name in _labels(metric))
            total = "_total" if metric.type == "counter" else ""
            yield f"| `{metric.name}{total}` | {metric.type} | {labels} | {metric.documentation} |"


def _labels(metric: Metric) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(metric, "_labelnames", ())
    return names


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
