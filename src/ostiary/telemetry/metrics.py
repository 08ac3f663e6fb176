"""What `/metrics` answers, in the format of Prometheus.

A metric has a name, what it means, and its labels. Labels are chosen from what the configuration and the code
know: never from what a stranger sends, who could make as many series as there are words.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
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

    def of_one_label(self) -> dict[str, int]:
        """How many, by the first label."""
        counted: dict[str, int] = {}
        for labels, value in sorted(self._values.items()):
            counted[labels[0]] = counted.get(labels[0], 0) + value
        return counted

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        family = CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        if not self.labels:
            family.add_metric((), self._values[()])
        for labels, value in sorted(self._values.items()):
            if self.labels:
                family.add_metric(labels, value)
        yield family


class Gauge(Collector):
    """How many there are now, as somebody counts them from time to time; nothing before the first time."""

    def __init__(self, name: str, meaning: str, labels: Iterable[str]) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self._values: Mapping[tuple[str, ...], int] = {}

    def set(self, values: Mapping[tuple[str, ...], int]) -> None:
        """All of them anew. values: labels → how many."""
        self._values = values

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it."""
        family = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, value in sorted(self._values.items()):
            family.add_metric(labels, value)
        yield family


class Histogram(Collector):
    """How long something took. bounds: upper ends of the buckets in seconds, ascending."""

    def __init__(self, name: str, meaning: str, labels: Iterable[str], *, bounds: Iterable[float]) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """One more that took so long."""
        buckets = self._buckets.setdefault(labels, [0] * (len(self._bounds) + 1))
        buckets[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def collect(self) -> Iterator[Metric]:
        """As the library asks for it: each bucket has those below it, too."""
        family = HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        names = [*(repr(bound) for bound in self._bounds), "+Inf"]
        for labels, buckets in sorted(self._buckets.items()):
            up_to = list(zip(names, accumulate(buckets), strict=True))
            family.add_metric(labels, up_to, self._sums[labels])
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
