"""One issuer's public keys. RFC 7517.

Some are a stranger's, who chooses them to be as many, and as slow, as they may be: each that a token fits is
tried, in the event loop that all share.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

PublicKey = RSAKey | ECKey | OKPKey

MOST_KEYS = 100
"""How many of a set are read. Issuers have two or three, some a dozen."""
MOST_TRIED = 8
"""How many are tried on one token: those of its key id, or all of its kind when it names none."""
LONGEST_MODULUS = 8192
LONGEST_EXPONENT = 32
"""Bits of an RSA key. All have the exponent 65537; one as long as the modulus takes 300 times as long."""

_FAMILY: dict[str, type[PublicKey]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
_READ = frozenset({"kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops"})
"""Members that count here. What stands beside, such as certificates, spoils no key, however odd it is."""
_ED25519 = frozenset({"EdDSA", "Ed25519"})
"""One algorithm by two names (RFC 9864): a key on that curve has no other, so it need not say which."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that can verify a signature; whatever else an issuer publishes is left out."""

    keys: tuple[PublicKey, ...]
    _kids: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kids", frozenset(key.kid for key in self.keys if isinstance(key.kid, str)))

    def has(self, kid: str) -> bool:
        """Whether some key has this id."""
        return kid in self._kids

    def candidates(self, kid: str | None, alg: str) -> list[PublicKey]:
        """The keys that may have made a signature. Several may share an id, and a token may name none."""
        family = _FAMILY[alg[:2]]
        found = (
            key
            for key in self.keys
            if isinstance(key, family) and (kid is None or key.kid == kid) and key.alg in {None, alg}
        )
        return list(islice(found, MOST_TRIED))


def read_key_set(document: Any) -> KeySet:
    """A JWKS document → its keys. Raises ValueError when it is none; single odd keys are skipped."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('the key set is not a JSON object with a list "keys"')  # noqa: TRY004 - it is a fault of the document
    read = map(_read_key, entries[:MOST_KEYS])
    return KeySet(tuple(key for key in read if key is not None))


class _Asymmetric(JWKRegistry):
    """Secrets (`oct`) have no place among public keys."""

    key_types: dict[str, type[Key]] = {kind.key_type: kind for kind in (RSAKey, ECKey, OKPKey)}


def _read_key(entry: Any) -> PublicKey | None:
    """A key for signatures; None for secrets, encryption keys, unknown curves, the too short and too long.

    A member that is null is absent.
    """
    if not isinstance(entry, dict):
        return None
    said = {name: value for name, value in entry.items() if name in _READ and value is not None}
    if said.get("use", "sig") != "sig":
        return None
    try:
        if said.get("crv") == "Ed25519" and said.get("alg") in _ED25519:
            del said["alg"]
        with warnings.catch_warnings(action="error", category=SecurityWarning):
            key = _Asymmetric.import_key(said)
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if isinstance(key, OctKey) or _is_slow(key) else key


def _is_slow(key: PublicKey) -> bool:
    if not isinstance(key, RSAKey):
        return False
    numbers = key.public_key.public_numbers()
    return numbers.n.bit_length() > LONGEST_MODULUS or numbers.e.bit_length() > LONGEST_EXPONENT
