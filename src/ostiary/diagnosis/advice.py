"""What can be set on a credential: nobody is told to set a key that it does not have."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, get_args

from ostiary.credentials import SingleCredential

if TYPE_CHECKING:
    from pydantic import BaseModel


def takes(credential: str, setting: str) -> bool:
    """Whether a credential of this type, or one of a list of them, has the setting."""
    return any(setting in _settings().get(one, ()) for one in credential.split(" + "))


@lru_cache(maxsize=1)
def _settings() -> dict[str, frozenset[str]]:
    kinds: tuple[type[BaseModel], ...] = get_args(get_args(SingleCredential)[0])
    return {kind.model_fields["type"].default: frozenset(kind.model_fields) for kind in kinds}
