"""What a server says wrong, as far as it is shown."""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.cli.failure import Failure
from ostiary.oauth.client.echoed_secrets import without_echoes

LONGEST = 1000
"""Characters."""


def shown(said: str, sent: Iterable[str]) -> str:
    """Cut, and without what the server was sent. sent: the secrets of it."""
    return without_echoes(said, tuple(sent))[:LONGEST]


def not_valid(place: str, why: str) -> Failure:
    """An answer that is none. place: whose."""
    return Failure(f"{place} gave an answer that is not valid: {why}")
