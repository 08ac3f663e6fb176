"""A signing key: made, sealed in the store, opened again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.authserver.signing.jws import JwsSigner, PrivateKey
from ostiary.oauth.confirmation import jwk_thumbprint
from ostiary.oauth.server.signing_schedule import KeyTimes
from ostiary.unseen import Unseen

_JWK_KINDS: Mapping[str, type[ECKey | RSAKey | OKPKey]] = {"ES256": ECKey, "RS256": RSAKey, "EdDSA": OKPKey}
RSA_BITS = 2048


class SealedKey(Unseen, frozen=True):
    """What of a key is sealed: PKCS #8 in PEM."""

    pem: str


@dataclass(frozen=True)
class SigningKey:
    """One key, with the moments of its life."""

    times: KeyTimes
    generation: int
    algorithm: str
    sealed: SealedKey

    @property
    def kid(self) -> str:
        """Its name: the thumbprint of its public half (RFC 7638)."""
        return self.times.kid

    @cached_property
    def signer(self) -> JwsSigner:
        """What signs with it."""
        return JwsSigner(_opened(self.sealed), algorithm=self.algorithm, kid=self.kid)

    @cached_property
    def public_jwk(self) -> dict[str, Any]:
        """Its public half, as the JWKS has it (RFC 7517)."""
        return {**_public(self.sealed, self.algorithm), "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def new_key(algorithm: str) -> tuple[str, SealedKey]:
    """A new key and its name."""
    key: PrivateKey
    match algorithm:
        case "RS256":
            key = rsa.generate_private_key(65537, RSA_BITS)
        case "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sealed = SealedKey(pem.decode("ascii"))
    return jwk_thumbprint(_public(sealed, algorithm)), sealed


def _opened(sealed: SealedKey) -> PrivateKey:
    key = serialization.load_pem_private_key(sealed.pem.encode("ascii"), None)
    assert isinstance(key, PrivateKey)  # noqa: S101 - we made it
    return key


def _public(sealed: SealedKey, algorithm: str) -> dict[str, Any]:
    return dict(_JWK_KINDS[algorithm].import_key(sealed.pem).as_dict(private=False))
