"""What several processes counted, as one document.

Counts and histograms are added up. What is so many now is of one process: its `worker` says of which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_ADDED_UP = frozenset({"counter", "histogram", "summary"})


def merged_metrics(documents: Mapping[int, bytes]) -> bytes:
    """documents: by the number of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(documents))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, documents: Mapping[int, bytes]) -> None:
        self._documents = documents

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        found: dict[str, list[tuple[int, Metric]]] = {}
        for index, document in sorted(self._documents.items()):
            for family in text_string_to_metric_families(document.decode()):
                found.setdefault(family.name, []).append((index, family))
        for families in found.values():
            yield _added_up(families) if families[0][1].type in _ADDED_UP else _side_by_side(families)


def _added_up(families: Iterable[tuple[int, Metric]]) -> Metric:
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    metric: Metric | None = None
    for _, family in families:
        metric = metric or Metric(family.name, family.documentation, family.type)
        for sample in family.samples:
            key = (sample.name, tuple(sample.labels.items()))
            sums[key] = sums.get(key, 0.0) + sample.value
    assert metric is not None  # noqa: S101 - for the type checker: there is one at least
    for (name, labels), value in sums.items():
        metric.add_sample(name, dict(labels), value)
    return metric


def _side_by_side(families: Iterable[tuple[int, Metric]]) -> Metric:
    metric: Metric | None = None
    for index, family in families:
        metric = metric or Metric(family.name, family.documentation, family.type)
        for sample in family.samples:
            metric.add_sample(sample.name, {**sample.labels, "worker": str(index)}, sample.value)
    assert metric is not None  # noqa: S101 - likewise
    return metric
