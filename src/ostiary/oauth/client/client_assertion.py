"""A client's signed statement about itself, by which it proves who it is. RFC 7523 section 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.oauth.client.client_authentication import SigningAlgorithm
from ostiary.oauth.signature_rules import SignatureRules

SigningKey = ECKey | RSAKey | OKPKey

ASSERTION_LIFETIME = 60
"""Seconds that an assertion is good for: it is used at once."""

_KEY_TYPES: Mapping[SigningAlgorithm, type[SigningKey]] = {"ES256": ECKey, "RS256": RSAKey, "EdDSA": OKPKey}
_IN_WORDS = {"ES256": "a P-256 key", "RS256": "an RSA key", "EdDSA": "an Ed25519 key"}


class KeyUnusable(ValueError):
    """Not a private key, or not one for the algorithm. The message never shows the key."""


def client_assertion(
    client_id: str, *, audience: str, key: SigningKey, key_id: str | None, now: float, jti: str
) -> str:
    """A signed statement of the client about itself (RFC 7523 section 3).

    now: seconds since the epoch; jti: a name that no other assertion has.
    """
    header: dict[str, Any] = {"alg": algorithm_of(key), "typ": "JWT"}
    if key_id is not None:
        header["kid"] = key_id
    issued_at = int(now)
    claims: dict[str, Any] = {"iss": client_id, "sub": client_id, "aud": audience, "jti": jti}
    claims |= {"iat": issued_at, "exp": issued_at + ASSERTION_LIFETIME}
    return jwt.encode(header, claims, key, registry=SignatureRules(header["alg"]))


def signing_key(text: str, algorithm: SigningAlgorithm) -> SigningKey:
    """Read a private key in PEM. Raises KeyUnusable when it is none for this algorithm.

    In environment variables many have `\\n` for its line breaks; no PEM has a backslash of its own.
    """
    try:
        key = _KEY_TYPES[algorithm].import_key(text.replace("\\r", "").replace("\\n", "\n"))
    except (JoseError, ValueError, TypeError):
        raise KeyUnusable(f"it is not {_IN_WORDS[algorithm]} in PEM, as {algorithm} needs") from None
    curves = {"ES256": "P-256", "EdDSA": "Ed25519"}
    if not key.is_private or (algorithm in curves and key.get("crv") != curves[algorithm]):
        raise KeyUnusable(f"it is not the private part of {_IN_WORDS[algorithm]}, as {algorithm} needs")
    return key


def algorithm_of(key: SigningKey) -> SigningAlgorithm:
    """The one algorithm that we sign with such a key."""
    return next(algorithm for algorithm, kind in _KEY_TYPES.items() if isinstance(key, kind))
