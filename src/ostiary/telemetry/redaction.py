"""What no log line may hold: secrets, tokens, and characters that forge a second line.

The last step before a line is written, whoever wrote it. It is a net, not a licence: nothing secret is
handed to a logger in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ostiary.secrets import Secret

HIDDEN = "***"
LONGEST_WORDS = 2000
"""Characters of one value that are looked at, and written: what strangers say is as long as they like."""

_OURS = r"(?:headers?|proofs?|tokens?|keys?|is|was|in|or|and|are|for|with|RFC)(?!\.?[\w~+/=-])"
"""Words that follow the name of a scheme in sentences of our own."""
_TOKENS = re.compile(
    rf"(?P<scheme>\b(?:(?:Bearer|Basic|DPoP)\s+(?!{_OURS})"
    r"|(?i:bearer|basic|dpop)\s+(?=[a-z]*(?:[^a-z\s:;,'\".!?)]|[.!?)]\S)|\S{16})))"  # more than a plain word
    r"(?!(?:realm|error|resource_metadata|scope|algs)=)[\w.~+/=-]+"
    r"|\beyJ[\w-]{4,}(?:\.[\w-]*)+"  # JOSE: base64url of '{"', then its dotted parts
    r"|\bya29\.[\w.-]+"  # Google's access tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_SIGNS_OF_TOKENS = ("bearer", "basic", "dpop", "eyj", "ya29.", "private key")
"""Whatever `_TOKENS` finds has one of them, in lower case, and few texts do: that is quicker to see."""
_SECRET_KEY = re.compile(
    r"(?:.*[_-])?(?:authorization|cookie|password|passwd|secret|token|api[_-]?key|private[_-]?key|assertion"
    r"|code_verifier)",
    re.IGNORECASE,
)


def redacted(value: Any, key: str = "") -> Any:
    """The value as a log may have it: same shape, with secrets hidden and control characters escaped."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Secret) or _names_a_secret(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {one_line(str(name)): redacted(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    if isinstance(value, bytes | bytearray):
        value = value.decode("latin-1")
    return one_line(without_tokens(cut(str(value))))


def is_harmless(text: str, values: Mapping[str, Any]) -> bool:
    """Whether `redacted` would hide nothing of these values, written as this JSON object.

    A quick look at the whole, for those who write many lines, nearly all of which are harmless.
    """
    return (
        ((text.isascii() and "\x7f" not in text) or text.isprintable())  # JSON escapes what is below a space
        and not _may_hold_tokens(text)
        and text.count("{") == 1  # another one may open a mapping, whose keys were not looked at
        and not _name_a_secret(tuple(values))
    )


def cut(text: str) -> str:
    """The text, or the beginning of one that is too long. What is cut off costs nothing further."""
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"


def without_tokens(text: str) -> str:
    """The text with everything that looks like a token or a private key hidden."""
    if not _may_hold_tokens(text):
        return text
    return _TOKENS.sub(lambda found: (found["scheme"] or "") + HIDDEN, text)


def one_line(text: str) -> str:
    """The text with its control, separator and direction-changing characters escaped as Python does."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def _may_hold_tokens(text: str) -> bool:
    return any(map(text.lower().__contains__, _SIGNS_OF_TOKENS))


@lru_cache(maxsize=1024)
def _name_a_secret(keys: tuple[str, ...]) -> bool:
    return any(map(_names_a_secret, keys))


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.fullmatch(key) is not None
