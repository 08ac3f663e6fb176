"""What became of a call, in one word: as many words as there are kinds of errors, whatever callers send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ostiary.gateway.errors import GatewayError
from ostiary.mcp.errors import McpError

OK = "ok"
"""It was answered."""
SERVER_ERROR = "server_error"
"""The server answered with an error of its own, which is the caller's to read."""
WITHDRAWN = "withdrawn"
"""The caller left before the answer was whole."""
CRASHED = "crashed"
"""A fault of ours: the log has it."""

NO_SERVER = ""
"""In place of the name of one, for what is for all servers, or for none."""

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def outcome_of(error: McpError) -> str:
    """The kind of the error, as `server_timed_out`."""
    return _word(type(error).__name__)


def failures() -> frozenset[str]:
    """Outcomes that are a server's own, or its credential's: there was no usable answer."""
    return frozenset(_word(kind.__name__) for kind in _kinds(GatewayError) if kind.status in {502, 504})


def error_outcomes() -> frozenset[str]:
    """All that errors come to."""
    return frozenset(_word(kind.__name__) for kind in _kinds(McpError))


def _kinds(kind: type[McpError]) -> Iterator[type[McpError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _kinds(one)


@cache
def _word(kind: str) -> str:
    return _CAPITAL.sub("_", kind).lower()
