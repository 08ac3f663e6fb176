"""What names a token for all replicas: its key in the cache, as bytes that are the same in every process.

Secrets are not in the name, only where they come from: the name stands in the store. But what is in the store
is bound to the secrets themselves, so it opens only for who has the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.secrets import Secret
from ostiary.storage.shared_tokens import SharedKey


class Unnameable(Exception):
    """A part of the key means something in this process alone."""


def shared_key(key: Hashable) -> SharedKey:
    """The name. Raises Unnameable, or SecretUnavailable."""
    parts = key_of(key.parts if isinstance(key, TokenKey) else key)
    name = _digest(parts, lambda secret: secret.place)
    return SharedKey(name.hex(), _digest(parts, Secret.reveal))


def _digest(parts: Hashable, shown: Callable[[Secret], str]) -> bytes:
    return sha256(json.dumps(_plain(parts, shown)).encode()).digest()


def _plain(part: Hashable, shown: Callable[[Secret], str]) -> Any:
    """As JSON, in which values of two types are never written alike."""
    plain: Any
    match part:
        case None | bool() | int() | float() | str():
            plain = part
        case tuple():
            plain = [_plain(inner, shown) for inner in part]
        case TokenKey():
            plain = {"key": _plain(part.parts, shown)}
        case Secret():
            plain = {"secret": shown(part)}
        case bytes():
            plain = {"bytes": part.hex()}
        case CanonicalUrl():
            plain = {"url": str(part)}
        case PurePath():
            plain = {"path": str(part)}
        case type():
            plain = {"type": f"{part.__module__}.{part.__qualname__}"}
        case _:
            raise Unnameable(type(part).__name__)
    return plain
