"""The RSA keys that sign: Google's own, and one for each key file (RFC 7515, 7517, 7518)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from collections.abc import Mapping

BITS = 2048
ALGORITHM = "RS256"


class BadSignature(Exception):
    """The token is not one that this key signed with RS256."""


class EmulatorKey:
    """An RSA key made for this run, with its thumbprint as its name."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        self._key_set = KeySet([self._key])

    @property
    def key_id(self) -> str:
        """Its `kid`."""
        return str(self._key.kid)

    def private_pem(self) -> str:
        """The private key in PKCS #8, as a key file has it."""
        return self._key.as_pem(private=True).decode()

    def public_pem(self) -> str:
        """The public key as a SubjectPublicKeyInfo."""
        return self._key.as_pem(private=False).decode()

    def public_jwks(self) -> dict[str, Any]:
        """The public key as a JWK set."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A JWT with these claims; `header` overrides or adds to the usual one."""
        whole = {"alg": ALGORITHM, "kid": self.key_id, "typ": "JWT"} | dict(header or {})
        return jwt.encode(whole, dict(claims), self._key, default_type=None)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that this key signed; they are not checked. Raises BadSignature."""
        try:
            return jwt.decode(token, self._key_set, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise BadSignature(str(error)) from None
