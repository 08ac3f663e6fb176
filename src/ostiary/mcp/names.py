"""How names of many servers stay apart behind one endpoint.

Tools and prompts carry a prefix (`zoo_get_animal`), resources a scheme (`zoo+note://one`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations


def default_prefix(server: str) -> str:
    """The prefix of a server that sets none: its name and an underscore."""
    return f"{server}_"


def clashing_prefixes(prefixes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of servers of which one prefix begins with the other, so that a name could mean two things.

    prefixes: server → prefix. The empty prefix clashes with another empty one alone: it is asked last.
    """
    for one, other in combinations(sorted(prefixes), 2):
        mine, theirs = prefixes[one], prefixes[other]
        if mine == theirs or (mine and theirs and (mine.startswith(theirs) or theirs.startswith(mine))):
            yield one, other


def scheme_prefixed(server: str, uri: str) -> str:
    """The URI of a server's resource as it is called on the federated endpoint."""
    return f"{server}+{uri}"
