"""Proof that who redeems a code is who asked for it. RFC 7636."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

S256 = "S256"
"""The only method we use: `plain` shows the verifier to whoever sees the request."""
ENTROPY_BYTES = 32
"""What section 4.1 recommends for a verifier."""

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class PkceUnsupported(ValueError):
    """The authorization server does not say that it checks S256 challenges."""


def code_verifier(entropy: bytes) -> str:
    """The verifier made of random bytes (section 4.1). Raises ValueError for fewer than 32."""
    verifier = _base64url(entropy)
    if _VERIFIER.fullmatch(verifier) is None:
        raise ValueError("a code verifier is made of 32 to 96 random bytes")
    return verifier


def s256(verifier: str) -> str:
    """The challenge that goes ahead of the verifier (section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def require_s256(metadata: Mapping[str, Any]) -> None:
    """Raise PkceUnsupported unless the server's metadata lists S256.

    A server that is silent may ignore the challenge, which nobody would notice: so MCP's authorization
    specification has clients refuse it.
    """
    methods = metadata.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or S256 not in methods:
        raise PkceUnsupported("its metadata does not list S256 in code_challenge_methods_supported")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
