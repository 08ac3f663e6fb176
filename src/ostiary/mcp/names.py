"""How names of many servers stay apart behind one endpoint.

Tools and prompts carry a prefix (`zoo_get_animal`), resources a scheme (`zoo+note://one`). Calls and lists
go by one rule: a name is the server's that a call with it reaches, whoever lists it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from ostiary.mcp.errors import InvalidParams

_UNSEEN_IN_URLS = {ord(character): None for character in "\t\n\r"}
_TRIMMED_FROM_URLS = "".join(map(chr, range(0x21)))


class Names:
    """The names of one endpoint, of which at most one server's carry no prefix."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        """prefixes: server → prefix."""
        self._prefixes = prefixes
        self._longest_first = sorted(
            ((prefix, server) for server, prefix in prefixes.items()), key=lambda pair: -len(pair[0])
        )
        self._schemes = frozenset(server for server, prefix in prefixes.items() if prefix)
        self._bare = next((server for server, prefix in prefixes.items() if not prefix), None)

    def here(self, key: str, server: str, own: str) -> str:
        """The name on this endpoint. key: what it is: `name`, `uri` or `uriTemplate`."""
        if key == "name":
            return self._prefixes[server] + own
        return scheme_prefixed(server, own) if server in self._schemes else own

    def split(self, key: str, name: str) -> tuple[str, str]:
        """The server that a name here reaches, and its name there. Raises InvalidParams for none."""
        if key == "name":
            return self._split_name(name)
        return self._split_uri(name) if key == "uri" else self._split_template(name)

    def _split_name(self, name: str) -> tuple[str, str]:
        for prefix, server in self._longest_first:
            if name.startswith(prefix):
                return server, name[len(prefix) :]
        known = ", ".join(f"{prefix}…" for prefix, _ in reversed(self._longest_first))
        raise InvalidParams(f"no server here has {name[:64]!r}: names begin with {known}")

    def _split_uri(self, uri: str) -> tuple[str, str]:
        scheme, plus, own = uri.partition("+")
        server = _as_parsers_read(scheme)
        if plus and server in self._schemes:
            return server, own
        if self._bare is not None:
            return self._bare, uri
        known = ", ".join(f"{name}+…" for name in self._prefixes)
        raise InvalidParams(f"no server here has this resource: URIs begin with {known}")

    def _split_template(self, template: str) -> tuple[str, str]:
        """As its expansions: what could become the URI of several servers is nobody's."""
        literal, brace, _ = template.partition("{")
        if brace and "+" not in literal:
            begun = _as_parsers_read(literal)
            if any(server.startswith(begun) for server in self._schemes):
                raise InvalidParams("resources of several servers fit this template")
        return self._split_uri(template)


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


def _as_parsers_read(scheme: str) -> str:
    """A scheme as programs compare it (RFC 3986 section 3.1), some of which trim first (WHATWG URL)."""
    return scheme.translate(_UNSEEN_IN_URLS).lstrip(_TRIMMED_FROM_URLS).lower()
