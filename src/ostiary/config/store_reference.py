"""The reference page of the store's seals, drawn from where they are declared: it cannot forget a column.

python -m ostiary.config.store_reference > docs/reference/store.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from sqlalchemy import Table

from ostiary.storage.schema import metadata

_HEAD = """\
# What the store's seals cover

Drawn from the code by `python -m ostiary.config.store_reference`. A row opens only with the encryption key,
and only while its key and the columns below are as they were when it was sealed. So whoever writes in the
database, and does not have the key, makes nobody into somebody else: a row that they changed, made up or
copied is refused with 503, and the log names it. What they do get, column by column, is in the last one.

Nothing holds against deleting, or against putting back a row as it was: see [what it does not protect
against](../explanation/protection.md). A column named `*_hash` holds SHA-256 of something random, and nothing
leads back from it.
"""


def store_page() -> str:
    """The page as Markdown."""
    rows = [row for table in metadata.sorted_tables for row in _rows(table)]
    head = [
        "| table | covered, beside its key | not covered | what whoever changes that gets |",
        "|---|---|---|---|",
    ]
    return "\n".join([_HEAD, *head, *rows]) + "\n"


def _rows(table: Table) -> Iterator[str]:
    if "sealed" not in table.c:
        yield f"| `{table.name}` | nothing | all | {table.info['unsealed']} |"
        return
    info = table.c.sealed.info
    covered = _names(info["covers"])
    left = _by_reason(info["leaves"])
    if not left:
        yield f"| `{table.name}` | {covered} | nothing | |"
    for number, (reason, names) in enumerate(left.items()):
        beginning = f"`{table.name}` | {covered}" if number == 0 else " | "
        yield f"| {beginning} | {_names(names)} | {reason} |"


def _by_reason(leaves: Mapping[str, str]) -> dict[str, list[str]]:
    """Columns that follow one another with the same reason are one row."""
    found: dict[str, list[str]] = {}
    for name, reason in leaves.items():
        found.setdefault(list(found)[-1] if reason == "the same" else reason, []).append(name)
    return found


def _names(columns: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


if __name__ == "__main__":
    sys.stdout.write(store_page())
