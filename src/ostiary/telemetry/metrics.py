"""What `/metrics` answers, in the format of Prometheus.

A count has a name, what it means, and its labels. Labels are chosen from what the configuration and the code
know: never from what a stranger sends, who could make as many series as there are words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The label of what is not known."""


class Count(Collector):
    """One count. name: without `_total`; a plain addition each time, since tokens are counted with it."""

    def __init__(self, name: str, meaning: str, labels: Iterable[str] = ()) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self._values: Counter[tuple[str, ...]] = Counter()

    def add(self, *labels: str) -> None:
        """One more."""
        self._values[labels] += 1

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        family = CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        if not self.labels:
            family.add_metric((), self._values[()])
        for labels, value in sorted(self._values.items()):
            if self.labels:
                family.add_metric(labels, value)
        yield family


class Metrics:
    """The counts of one process, and what the system says of it: memory, processor time, open files."""

    def __init__(self, counts: Iterable[Collector] = ()) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        for count in counts:
            self._registry.register(count)

    def exposition(self) -> bytes:
        """The document."""
        return generate_latest(self._registry)


def known(value: object, among: frozenset[str]) -> str:
    """A label that is one of these, or `other`."""
    return value if isinstance(value, str) and value in among else OTHER
