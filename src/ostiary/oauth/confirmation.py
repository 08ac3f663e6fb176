"""Whose key a token is bound to: the `cnf` claim. RFC 7800, RFC 8705 section 3.1, RFC 9449 section 6.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

CNF = "cnf"
JKT = "jkt"
X5T = "x5t#S256"
KEY_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
"""What makes a key, sorted, by its kind (RFC 7638 section 3.2)."""


def jwk_thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638: SHA-256 over what makes the key, in base64url. Raises ValueError when that is not there."""
    members = {name: jwk.get(name) for name in KEY_MEMBERS.get(str(jwk.get("kty")), ())}
    if not members or not all(isinstance(value, str) for value in members.values()):
        raise ValueError("it is not a public key in the form of a JWK")
    return _base64url(json.dumps(members, separators=(",", ":")).encode("ascii"))


def certificate_thumbprint(der: bytes) -> str:
    """RFC 8705: SHA-256 over the certificate, in base64url."""
    return _base64url(der)


def confirmation(jkt: str | None = None, x5t: str | None = None) -> dict[str, str] | None:
    """The claim for a token that is bound to a DPoP key, a certificate, or both; None for one that is not."""
    bound = {name: value for name, value in ((JKT, jkt), (X5T, x5t)) if value is not None}
    return bound or None


def is_confirmed(claims: Mapping[str, Any], *, jkt: str | None = None, x5t: str | None = None) -> bool:
    """Whether who proved these keys may use a token with these claims.

    One without `cnf` is bound to nothing. Whatever else stands there binds it: a member that we don't know is
    not proven, and null is not nothing.
    """
    if CNF not in claims:
        return True
    claim = claims[CNF]
    if not isinstance(claim, Mapping) or not claim:
        return False
    proven = {JKT: jkt, X5T: x5t}
    return all(_equal(value, proven.get(name)) for name, value in claim.items())


def _base64url(hashed: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(hashed).digest()).rstrip(b"=").decode("ascii")


def _equal(wanted: object, proven: str | None) -> bool:
    if not isinstance(wanted, str) or proven is None:
        return False
    return hmac.compare_digest(wanted.encode("utf-8", "surrogatepass"), proven.encode("ascii"))
