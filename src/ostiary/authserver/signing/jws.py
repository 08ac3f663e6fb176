"""A compact JWS. RFC 7515 section 3.1.

A general library builds and checks the header for each token, which costs as much as the signature. Ours has
three headers a key, so they are encoded once.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_P256_BYTES = 32
_ES256 = ec.ECDSA(Prehashed(hashes.SHA256()))
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
            return lambda data: fixed_size(key.sign(hashlib.sha256(data).digest(), _ES256))
        case rsa.RSAPrivateKey():
            return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        case ed25519.Ed25519PrivateKey():
            return key.sign


def fixed_size(der: bytes) -> bytes:
    """r and s one after the other (RFC 7518 section 3.4), of a sequence of both (RFC 3279 section 2.2.3).

    It is our own, and short enough that each length is one byte. An integer has a zero before its highest
    bit, and none that it does not need.
    """
    end_of_r = 4 + der[3]
    r, s = der[4:end_of_r], der[end_of_r + 2 :]
    return b"".join(number[-_P256_BYTES:].rjust(_P256_BYTES, b"\0") for number in (r, s))


def _base64url(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")
