"""Proof that who redeems a code is who asked for it, as it is checked. RFC 7636 sections 4.3 and 4.6."""

from __future__ import annotations

import hmac
import re

from ostiary.oauth.client.pkce import S256, VERIFIER, s256
from ostiary.oauth.server.errors import InvalidGrant, InvalidRequest

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def read_challenge(challenge: str | None, method: str | None) -> str:
    """The challenge of an authorization request (section 4.3). Raises InvalidRequest unless it is of S256."""
    if challenge is None:
        raise InvalidRequest("code_challenge is missing: PKCE with S256 is needed here")
    if method is None:
        raise InvalidRequest("code_challenge_method is missing, which means plain: only S256 is taken here")
    if method != S256:
        raise InvalidRequest("code_challenge_method is not S256, the only one that is taken here")
    if _CHALLENGE.fullmatch(challenge) is None:
        raise InvalidRequest("code_challenge is not a SHA-256 digest in base64url: 43 characters, no padding")
    return challenge


def check_verifier(verifier: str | None, *, challenge: str) -> None:
    """Raise InvalidGrant unless the verifier is the one of the challenge (section 4.6)."""
    if verifier is None:
        raise InvalidGrant("code_verifier is missing")
    if VERIFIER.fullmatch(verifier) is None:
        raise InvalidGrant("code_verifier is not 43 to 128 letters, digits, or any of - . _ ~")
    if not hmac.compare_digest(s256(verifier), challenge):
        raise InvalidGrant("code_verifier does not match")
