"""Proof of possession: a token that only the holder of a key can use. RFC 9449 section 4."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from joserfc import jwt

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

    from ostiary.oauth.canonical_url import CanonicalUrl

ALGORITHM = "ES256"


def dpop_proof(
    key: ECKey,
    *,
    method: str,
    url: CanonicalUrl,
    now: float,
    jti: str,
    access_token: str | None = None,
    nonce: str | None = None,
) -> str:
    """A proof for one request.

    jti: a name that no other proof has; access_token: the token that is sent with it, none at a token
    endpoint; nonce: what the server last wanted to see.
    """
    header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": key.as_dict(private=False)}
    claims: dict[str, Any] = {
        "jti": jti,
        "htm": method,
        "htu": str(replace(url, query=None)),
        "iat": int(now),
    }
    if not url.path:
        claims["htu"] += "/"  # as it stands on the request line
    if access_token is not None:
        claims["ath"] = token_hash(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def token_hash(access_token: str) -> str:
    """The `ath` claim: SHA-256 in base64url."""
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
