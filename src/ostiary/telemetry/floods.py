"""Lines of which strangers can cause any number: the first of a minute are told, the rest counted.

Nothing is lost in silence: how many were only counted is told when their minute has ended. Each source has a
share, so that one that floods does not hide the others; all together have a bound, so that many fill no disk.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SECONDS = 60.0
"""How long lines are counted together."""
OF_SOURCE = 20
"""Lines of one kind and source that are told in that time."""
OF_KIND = 200
"""Lines of one kind that are told in that time, whatever their source."""

Kind = TypeVar("Kind", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Untold(Generic[Kind]):
    """Lines of one kind that were counted. source: None for those of many."""

    kind: Kind
    source: str | None
    count: int


@dataclass(slots=True)
class _Span:
    began: float
    told: int = 0
    of_source: dict[str, int] = field(default_factory=dict)
    untold: dict[str | None, int] = field(default_factory=dict)

    def has_ended(self, now: float) -> bool:
        return not 0 <= now - self.began < SECONDS  # also when the clock was moved back

    def tells(self, source: str | None) -> bool:
        so_far = 0 if source is None else self.of_source.get(source, 0)
        if self.told < OF_KIND and so_far < OF_SOURCE:
            self.told += 1
            if source is not None:
                self.of_source[source] = so_far + 1
            return True
        culprit = source if so_far >= OF_SOURCE else None
        self.untold[culprit] = self.untold.get(culprit, 0) + 1
        return False


class Floods(Generic[Kind]):
    """Decides over lines. Kinds are few, and words of ours; a source is whatever a stranger is."""

    def __init__(self) -> None:
        self._spans: dict[Kind, _Span] = {}

    @property
    def are_counted(self) -> bool:
        """Whether there is something to be told."""
        return any(span.untold for span in self._spans.values())

    def tells(self, kind: Kind, source: str | None, now: float) -> bool:
        """Whether this line is told; else it is counted. What has `ended` is taken first."""
        span = self._spans.get(kind)
        if span is None:
            span = self._spans[kind] = _Span(now)
        return span.tells(source)

    def ended(self, now: float) -> Iterator[Untold[Kind]]:
        """What was only counted in the spans that have ended, which are over with that."""
        for kind in [kind for kind, span in self._spans.items() if span.has_ended(now)]:
            yield from self._end(kind)

    def all(self) -> Iterator[Untold[Kind]]:
        """What was only counted so far: whoever tells lines stops."""
        for kind in list(self._spans):
            yield from self._end(kind)

    def _end(self, kind: Kind) -> Iterator[Untold[Kind]]:
        for source, count in self._spans.pop(kind).untold.items():
            yield Untold(kind, source, count)
