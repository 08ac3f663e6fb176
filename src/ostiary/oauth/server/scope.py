"""What a token may be used for. RFC 6749 section 3.3."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ostiary.oauth.server.errors import InvalidScope

LONGEST = 4096
"""Characters of a whole `scope` parameter."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def read_scope(text: str | None) -> tuple[str, ...]:
    """The scopes in the order they stand, each once; none for an absent parameter. Raises InvalidScope."""
    if text is None:
        return ()
    if len(text) > LONGEST:
        raise InvalidScope(f"the scope has more than {LONGEST} characters")
    scopes = tuple(dict.fromkeys(filter(None, text.split(" "))))
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise InvalidScope("a scope has a character that RFC 6749 section 3.3 does not allow")
    return scopes


def write_scope(scopes: Sequence[str]) -> str:
    """As a parameter, an answer and a claim have it."""
    return " ".join(scopes)


def allowed_scopes(
    requested: Sequence[str], *, allowed: Collection[str], default: Sequence[str]
) -> tuple[str, ...]:
    """What may be granted: all that is asked for, or the default when nothing is.

    Raises InvalidScope, which names the first that is not allowed: a client that asks for more than there is
    learns it here, not from a token that does less than it thought.
    """
    for scope in requested:
        if scope not in allowed:
            raise InvalidScope(f"the scope {scope} is unknown here, or not for this client")
    return tuple(requested or default)


def narrowed(requested: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a refreshed or exchanged token: those of the first, or fewer (RFC 6749 section 6).

    Raises InvalidScope for one that was not granted.
    """
    for scope in requested:
        if scope not in granted:
            raise InvalidScope(f"the scope {scope} was not granted")
    return tuple(requested or granted)
