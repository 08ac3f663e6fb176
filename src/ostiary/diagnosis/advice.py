"""What can be set on a credential: nobody is told to set a key that it does not have."""

from __future__ import annotations

from functools import lru_cache

from ostiary.credentials.single_credential import KINDS


def takes(credential: str, setting: str) -> bool:
    """Whether a credential of this type, or one of a list of them, has the setting."""
    return any(setting in _settings().get(one, ()) for one in credential.split(" + "))


@lru_cache(maxsize=1)
def _settings() -> dict[str, frozenset[str]]:
    return {name: frozenset(kind.load().model_fields) for name, kind in KINDS.items()}
