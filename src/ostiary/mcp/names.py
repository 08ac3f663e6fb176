"""How names of many servers stay apart behind one endpoint.

Tools and prompts carry a prefix (`zoo_get_animal`), resources a scheme (`zoo+note://one`). Calls and lists
go by one rule: a name is the server's that a call with it reaches, whoever lists it.

A name that some clients would not take, as it is long or odd, is written in a short form that is always the
same. Only a list tells what it stands for.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from itertools import islice

from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.views import ALL, View

LONGEST = 64
"""Characters of a name that every client takes."""
MOST_TOLD = 20
"""Servers that an error names."""
_DIGEST_LENGTH = 10
_ODD = re.compile(r"[^A-Za-z0-9_.-]")
_SHORT_FORM = re.compile(rf".*_x[a-z2-7]{{{_DIGEST_LENGTH}}}", re.DOTALL)
NAMED = frozenset({"tools", "prompts"})
"""What has a name; all else has a URI."""

_UNSEEN_IN_URLS = {ord(character): None for character in "\t\n\r"}
_TRIMMED_FROM_URLS = "".join(map(chr, range(0x21)))


class Names:
    """The names of one endpoint, of which at most one server's carry no prefix."""

    def __init__(self, prefixes: Mapping[str, str], views: Mapping[str, View] | None = None) -> None:
        """prefixes: server → prefix; views: server → what is shown of it, where that is not all."""
        self._prefixes = prefixes
        self._views = views or {}
        self._servers = {prefix: server for server, prefix in prefixes.items()}
        self._lengths = sorted({len(prefix) for prefix in self._servers}, reverse=True)
        self._schemes = frozenset(server for server, prefix in prefixes.items() if prefix)
        self._bare = next((server for server, prefix in prefixes.items() if not prefix), None)

    def view(self, server: str) -> View:
        """What is shown of a server."""
        return self._views.get(server, ALL)

    def here(self, kind: str, server: str, own: str) -> str:
        """The name on this endpoint. kind: the member of the list that it stands in, such as `tools`."""
        if kind in NAMED:
            return short_form(self._prefixes[server], self.view(server).here(kind, own))
        return scheme_prefixed(server, own) if server in self._schemes else own

    def split(self, kind: str, name: str) -> tuple[str, str]:
        """The server that a name here reaches, and its name there. Raises InvalidParams for none.

        What `is_short_form` keeps its short form, which the server does not know.
        """
        if kind in NAMED:
            server, said = self._split_name(name)
            if is_short_form(name):
                return server, said
        else:
            server, said = self._split_uri(name) if kind == "resources" else self._split_template(name)
        own = self.view(server).own(kind, said)
        if own is None:
            raise InvalidParams(f"there is no {name[:LONGEST]!r} here: ask for the list of {kind}")
        return server, own

    def _split_name(self, name: str) -> tuple[str, str]:
        for length in self._lengths:
            server = self._servers.get(name[:length])
            if server is not None:
                return server, name[length:]
        known = _some(f"{prefix}…" for prefix in sorted(self._servers, key=len))
        raise InvalidParams(f"no server here has {name[:64]!r}: names begin with {known}")

    def _split_uri(self, uri: str) -> tuple[str, str]:
        scheme, plus, own = uri.partition("+")
        server = _as_parsers_read(scheme)
        if plus and server in self._schemes:
            return server, own
        if self._bare is not None:
            return self._bare, uri
        known = _some(f"{name}+…" for name in self._prefixes)
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


def short_form(prefix: str, name: str) -> str:
    """The two as one name that every client takes: cut, and told from others by its digest, where needed."""
    whole = prefix + name
    if len(whole) <= LONGEST and _ODD.search(name) is None and not is_short_form(whole):
        return whole
    digest = base64.b32encode(hashlib.sha256(name.encode(errors="surrogatepass")).digest()).decode().lower()
    kept = LONGEST - len(prefix) - len("_x") - _DIGEST_LENGTH
    return f"{prefix}{_ODD.sub('_', name[:kept])}_x{digest[:_DIGEST_LENGTH]}"


def is_short_form(name: str) -> bool:
    """Whether a name stands for another one."""
    return len(name) <= LONGEST and _SHORT_FORM.fullmatch(name) is not None


def clashing_prefixes(prefixes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of servers of which one prefix begins with the other, so that a name could mean two things.

    prefixes: server → prefix. The empty prefix clashes with another empty one alone: it is asked last.
    """
    begun: list[tuple[str, str]] = []
    clashes = []
    for prefix, server in sorted((prefix, server) for server, prefix in prefixes.items()):
        while begun and not (begun[-1][0] and prefix.startswith(begun[-1][0])) and begun[-1][0] != prefix:
            begun.pop()
        clashes += [(min(server, other), max(server, other)) for _, other in begun]
        begun.append((prefix, server))
    return sorted(clashes)


def _some(words: Iterable[str]) -> str:
    """The first of them, for people: of thousands nobody reads all, and whoever asks would be sent them."""
    first = list(islice(words, MOST_TOLD + 1))
    return ", ".join(first[:MOST_TOLD]) + (", and others" if len(first) > MOST_TOLD else "")


def scheme_prefixed(server: str, uri: str) -> str:
    """The URI of a server's resource as it is called on the federated endpoint."""
    return f"{server}+{uri}"


def _as_parsers_read(scheme: str) -> str:
    """A scheme as programs compare it (RFC 3986 section 3.1), some of which trim first (WHATWG URL)."""
    return scheme.translate(_UNSEEN_IN_URLS).lstrip(_TRIMMED_FROM_URLS).lower()
