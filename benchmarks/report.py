"""Medians and ratios, as tables of one page."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One peer's figures, ready to be shown."""

    name: str
    cells: Sequence[str]


def table(head: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table, figures to the right."""
    lines = [f"| | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    lines += [f"| {row.name} | {' | '.join(row.cells)} |" for row in rows]
    return "\n".join(lines)


def write_page(page: Path, sections: Sequence[str]) -> None:
    """Replace the page with these sections."""
    page.write_text("\n\n".join([HEADING, _measured(), *sections]) + "\n")


def write_section(page: Path, section: str) -> None:
    """Replace this section of the page, which then says itself when it was measured; a new one comes last."""
    heading, _, text = section.partition("\n\n")
    kept = re.split(r"\n\n(?=## )", page.read_text().rstrip("\n"))
    sections = {part.partition("\n")[0]: part for part in kept}
    sections[heading] = f"{heading}\n\n{_measured()}\n\n{text}"
    page.write_text("\n\n".join(sections.values()) + "\n")


def _measured() -> str:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return f"Measured on {date.today():%d %B %Y}, {_cores()} cores, {python}, Linux {platform.release()}."  # noqa: DTZ011


def _cores() -> int:
    return len(Path("/proc/cpuinfo").read_text().split("\nprocessor")) if sys.platform == "linux" else 0


HEADING = """\
# Benchmarks

`make bench` runs them and rewrites this page. It needs `npm`, and the Debian packages `wrk`, `nginx-light`,
`gcc` and `valgrind`; with Go 1.26 or newer, dex and vMCP are compared as well. Compare ratios: absolute
figures move with the machine."""
