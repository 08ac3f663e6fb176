"""What commands print: tables, text and JSON, with colour only on a terminal.

What a server sent may be hostile to a terminal, so no control character of it is ever printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostiary.cli.failure import Failure
from ostiary.telemetry.redaction import one_line

if TYPE_CHECKING:
    from rich.table import Table

WIDTH_OF_A_PIPE = 200


def print_text(text: str) -> None:
    """Print text that may have several lines."""
    for line in text.splitlines() or [""]:
        print(one_line(line.replace("\t", "    ")))  # noqa: T201


def print_json(data: Any) -> None:
    """Print JSON. Letters stay letters where all can be shown; what a terminal would act on is escaped."""
    shows_all = (sys.stdout.encoding or "").lower().startswith("utf")
    try:
        text = json.dumps(data, indent=2, ensure_ascii=not shows_all, default=str)
    except RecursionError:
        raise Failure("the answer is nested too deeply to be shown as JSON") from None
    safe = "".join(
        char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1].encode("ascii").decode()
        for char in text
    )
    print(safe)  # noqa: T201


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; columns are the keys, in the order they first appear."""
    from rich.table import Table  # noqa: PLC0415

    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=_box(), header_style="bold", pad_edge=False)
    for name in columns:
        numbers = all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(_cell(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    print_rich(table)


def print_rich(table: Table) -> None:
    """Print what rich draws, after an empty line and without the blanks it pads with."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    print("\n" + "\n".join(line for line in lines if line))  # noqa: T201


def is_table(data: Any) -> bool:
    """Whether data is best shown as a table: a list of objects that hold no further lists or objects."""
    return (
        isinstance(data, list)
        and bool(data)
        and all(
            isinstance(row, Mapping)
            and row
            and not any(isinstance(cell, Mapping | list) for cell in row.values())
            for row in data
        )
    )


def _box() -> Any:
    from rich import box  # noqa: PLC0415

    return box.SIMPLE_HEAD


def _cell(value: Any) -> Any:
    from rich.text import Text  # noqa: PLC0415 - a Text is never read as markup

    shown = "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)
    return Text(one_line(shown))
