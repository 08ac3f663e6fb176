"""One issuer's public keys. RFC 7517."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

PublicKey = RSAKey | ECKey | OKPKey

_FAMILY: dict[str, type[PublicKey]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that can verify a signature; whatever else an issuer publishes is left out."""

    keys: tuple[PublicKey, ...]

    def has(self, kid: str) -> bool:
        """Whether some key has this id."""
        return any(key.kid == kid for key in self.keys)

    def candidates(self, kid: str | None, alg: str) -> list[PublicKey]:
        """The keys that may have made a signature. Several may share an id, and a token may name none."""
        family = _FAMILY[alg[:2]]
        return [
            key
            for key in self.keys
            if isinstance(key, family) and (kid is None or key.kid == kid) and key.alg in {None, alg}
        ]


def read_key_set(document: Any) -> KeySet:
    """A JWKS document → its keys. Raises ValueError when it is none; single odd keys are skipped."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('the key set is not a JSON object with a list "keys"')  # noqa: TRY004 - it is a fault of the document
    return KeySet(tuple(key for entry in entries if (key := _read_key(entry)) is not None))


class _Asymmetric(JWKRegistry):
    """Secrets (`oct`) have no place among public keys."""

    key_types: dict[str, type[Key]] = {kind.key_type: kind for kind in (RSAKey, ECKey, OKPKey)}


def _read_key(entry: Any) -> PublicKey | None:
    """A key for signatures; None for secrets, encryption keys, unknown curves, and what is too short."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        with warnings.catch_warnings(action="error", category=SecurityWarning):
            key = _Asymmetric.import_key(entry)
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if isinstance(key, OctKey) else key
