"""A compact JWS. RFC 7515 section 3.1.

A general library builds and checks the header for each token, which costs as much as the signature. Ours has
three headers a key, so they are encoded once.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_P256_BYTES = 32
_ES256 = ec.ECDSA(hashes.SHA256())
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class JwsSigner:
    """Signs with one key."""

    def __init__(self, key: PrivateKey, *, algorithm: str, kid: str) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._signature = _signs(key)
        self._headers: dict[str, bytes] = {}

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """The token. typ: the header's (RFC 9068 section 2.1)."""
        header = self._headers.get(typ)
        if header is None:
            header = _base64url(msgspec.json.encode({"alg": self.algorithm, "typ": typ, "kid": self.kid}))
            self._headers[typ] = header
        signing_input = b"%s.%s" % (header, _base64url(msgspec.json.encode(claims)))
        return (b"%s.%s" % (signing_input, _base64url(self._signature(signing_input)))).decode("ascii")


def _signs(key: PrivateKey) -> Callable[[bytes], bytes]:
    match key:
        case ec.EllipticCurvePrivateKey():
            return lambda data: _fixed_size(key.sign(data, _ES256))
        case rsa.RSAPrivateKey():
            return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case ed25519.Ed25519PrivateKey():
            return key.sign


def _fixed_size(der: bytes) -> bytes:
    """RFC 7518 section 3.4."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)


def _base64url(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")
