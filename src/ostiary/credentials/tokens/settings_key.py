"""What a credential is configured with, as one value that can name a token in the cache.

Two that are written alike share a token; two with different secrets never do: a `Secret` is compared, and not
shown.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from pydantic import BaseModel


def key_of(value: Any) -> Hashable:
    """The value, with models, lists and mappings as tuples."""
    if isinstance(value, BaseModel):
        return (type(value), *((name, key_of(inner)) for name, inner in value))
    if isinstance(value, Mapping):
        return tuple((name, key_of(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(key_of(inner) for inner in value)
    found: Hashable = value
    return found
