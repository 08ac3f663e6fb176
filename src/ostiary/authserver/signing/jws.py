"""A compact JWS. RFC 7515 section 3.1.

A general library builds and checks the header for each token, which costs as much as the signature. Ours has
three headers a key, so they are encoded once.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_P256_BYTES = 32
_ES256 = ec.ECDSA(hashes.SHA256())


class JwsSigner:
    """Signs with one key."""

    def __init__(self, key: PrivateKey, *, algorithm: str, kid: str) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._key = key
        self._headers: dict[str, bytes] = {}

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """The token. typ: the header's (RFC 9068 section 2.1)."""
        header = self._headers.get(typ)
        if header is None:
            header = _base64url(msgspec.json.encode({"alg": self.algorithm, "typ": typ, "kid": self.kid}))
            self._headers[typ] = header
        signing_input = b"%s.%s" % (header, _base64url(msgspec.json.encode(claims)))
        return (b"%s.%s" % (signing_input, _base64url(self._signature(signing_input)))).decode("ascii")

    def _signature(self, data: bytes) -> bytes:
        match self._key:
            case ec.EllipticCurvePrivateKey():
                r, s = decode_dss_signature(self._key.sign(data, _ES256))
                return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)  # RFC 7518 section 3.4
            case rsa.RSAPrivateKey():
                return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PrivateKey():
                return self._key.sign(data)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
