"""Which feature passes between which eras: what the matrix expects, and the reference says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.gateway.matrix.features import FEATURES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "eras.md"
PASSES = "yes"
NOTHING = "-"
"""There is no such thing in that era: nothing to pass."""
COMBINATIONS = (("modern", "modern"), ("legacy", "legacy"), ("modern", "legacy"), ("legacy", "modern"))
"""The client's era and the server's."""
METHOD_NOT_FOUND = "-32601"

SESSIONLESS = "legacy, stateless"
UNASKED = (
    "elicitation by a form",
    "elicitation by a URL",
    "sampling",
    "roots",
    "several questions, in rounds",
    "changes of the list of tools",
    "changes of the list of prompts",
    "changes of the list of resources",
    "resource subscriptions",
)
"""What a server without sessions cannot do: it asks nobody, and announces nothing."""
ALL = ("modern", "legacy", "dual", SESSIONLESS, "a program", "HTTP+SSE")
LEGACY_KINDS = ("legacy", SESSIONLESS, "HTTP+SSE")
LEGACY_ALONE = {(era, kind): NOTHING for era in ("modern", "legacy") for kind in ALL if kind != "legacy"}
Cells = Mapping[tuple[str, str], str]
DIFFERENT: Mapping[str, Cells] = {
    **{name: {(era, SESSIONLESS): NOTHING for era in ("modern", "legacy")} for name in UNASKED},
    "tasks": {
        (era, kind): NOTHING
        for era in ("modern", "legacy")
        for kind in ALL
        if era == "legacy" or kind in LEGACY_KINDS
    },
    "ping": {("modern", kind): METHOD_NOT_FOUND for kind in ALL},
    "a session that the server has lost": LEGACY_ALONE,
}
"""Feature → the client's era and the server's kind → what is no "yes": an error's code, or nothing at all."""


def cell(era: str, kind: str, feature: str) -> str:
    """What is expected of a feature, for a client of that era with that kind of server."""
    return DIFFERENT.get(feature, {}).get((era, kind), PASSES)


def table() -> str:
    """As the page of the reference has it."""
    return "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    yield f"| | {' | '.join(f'{client} → {server}' for client, server in COMBINATIONS)} |"
    yield "|---|" + "---|" * len(COMBINATIONS)
    for feature in FEATURES:
        cells = (cell(client, server, feature) for client, server in COMBINATIONS)
        yield f"| {feature} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(table())
