"""The pictures of docs/explanation/scale/: curves in SVG, in light and dark, that a diff can show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 36, 48, 96
COLORS = ("#2563eb", "#d97706", "#059669", "#9333ea")
LABELS = 6
CSS = """\
text { font: 13px system-ui, sans-serif; fill: #374151 } .title { font-size: 16px; font-weight: 600 }
line { stroke: #9ca3af; stroke-width: 0.5 } polyline { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #d1d5db } line { stroke: #6b7280 } }"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """From value to place. marks: where it is labelled, the first and the last being its ends."""

    marks: Sequence[float]
    begin: float
    end: float
    is_logarithmic: bool = False

    def place(self, value: float) -> float:
        """In pixels."""
        first, last = self._scaled(self.marks[0]), self._scaled(self.marks[-1])
        return self.begin + (self._scaled(value) - first) / (last - first) * (self.end - self.begin)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.marks[0])) if self.is_logarithmic else value


def even_marks(most: float) -> list[float]:
    """From nought to what is just beyond, at round steps."""
    rough = most / LABELS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def draw(
    file: Path,
    title: str,
    across: str,
    curves: Mapping[str, Points],
    *,
    marks: tuple[Sequence[float], Sequence[float]] | None = None,
) -> None:
    """Write one picture. curves: name → points; marks: on both axes, which are logarithmic then."""
    every = [point for points in curves.values() for point in points]
    at, up = marks or (even_marks(max(x for x, _ in every)), even_marks(max(y for _, y in every)))
    horizontal = Axis(at, LEFT, WIDTH - RIGHT, marks is not None)
    vertical = Axis(up, HEIGHT - BOTTOM, TOP, marks is not None)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{CSS}</style>",
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        *_labels(horizontal, vertical),
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 48}" text-anchor="middle">{escape(across)}</text>',
        *_curves(curves, horizontal, vertical),
        "</svg>",
    ]
    file.write_text("\n".join(lines) + "\n")


def _labels(horizontal: Axis, vertical: Axis) -> Iterator[str]:
    for mark in vertical.marks:
        y = vertical.place(mark)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{mark:,.0f}</text>'
    for mark in horizontal.marks:
        x = horizontal.place(mark)
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{mark:,.0f}</text>'


def _curves(curves: Mapping[str, Points], horizontal: Axis, vertical: Axis) -> Iterator[str]:
    for number, ((name, points), color) in enumerate(zip(curves.items(), COLORS, strict=False)):
        path = " ".join(f"{horizontal.place(x):.1f},{vertical.place(y):.1f}" for x, y in points)
        x = LEFT + number * (WIDTH - LEFT - RIGHT) / len(curves)
        yield f'<polyline stroke="{color}" points="{path}"/>'
        yield f'<rect x="{x:.0f}" y="{HEIGHT - 26}" width="14" height="4" fill="{color}"/>'
        yield f'<text x="{x + 20:.0f}" y="{HEIGHT - 20}">{escape(name)}</text>'
