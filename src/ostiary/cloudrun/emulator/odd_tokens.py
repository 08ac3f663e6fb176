"""Tokens that no flow gives, for tests of those who must refuse them: any claims, any header.

RS256   signed with Google's key, so that only the claims or the header are odd
HS256   the public key taken for a shared secret (RFC 8725 section 2.1)
none    not signed at all
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.cloudrun.emulator.keys import EmulatorKey


def odd_token(key: EmulatorKey, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """A token with exactly these claims. Raises ValueError when the header cannot be had."""
    match header.get("alg", "RS256"):
        case "RS256":
            return _signed(key, claims, header)
        case "HS256":
            signing_input = _signing_input(key, claims, header)
            digest = hmac.digest(key.public_pem().encode(), signing_input.encode(), hashlib.sha256)
            return f"{signing_input}.{_base64url(digest)}"
        case "none":
            return _signing_input(key, claims, header) + "."
    raise ValueError("alg is RS256, HS256 or none")


def _signed(key: EmulatorKey, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    try:
        return key.sign(claims, header)
    except JoseError as error:
        raise ValueError(f"no token can be made with this header: {error}") from None


def _signing_input(key: EmulatorKey, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    parts = ({"kid": key.key_id, "typ": "JWT", **header}, claims)
    return ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
