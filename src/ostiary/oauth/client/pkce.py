"""Proof that who redeems a code is who asked for it, as it is made. RFC 7636 sections 4.1 and 4.2."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

S256 = "S256"
"""The only method we use: `plain` shows the verifier to whoever sees the request."""
ENTROPY_BYTES = 32
"""What section 4.1 recommends for a verifier."""

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class PkceUnsupported(ValueError):
    """The authorization server does not say that it checks S256 challenges."""


def code_verifier(entropy: bytes) -> str:
    """The verifier made of random bytes (section 4.1). Raises ValueError for fewer than 32."""
    verifier = _base64url(entropy)
    if VERIFIER.fullmatch(verifier) is None:
        raise ValueError("a code verifier is made of 32 to 96 random bytes")
    return verifier


def s256(verifier: str) -> str:
    """The challenge that goes ahead of the verifier (section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def require_s256(metadata: Mapping[str, Any], *, known: Collection[str] = ()) -> None:
    """Raise PkceUnsupported unless the server's metadata lists S256.

    A server that is silent may ignore the challenge, which nobody would notice: so MCP's authorization
    specification has clients refuse it. known: methods that the configuration says it has all the same.
    """
    methods = metadata.get("code_challenge_methods_supported")
    if S256 not in known and (not isinstance(methods, list) or S256 not in methods):
        raise PkceUnsupported(
            "its metadata does not list S256 in code_challenge_methods_supported "
            "(if it checks S256 all the same, write code_challenge_methods_supported: [S256] here)"
        )


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
