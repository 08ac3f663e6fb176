"""Statements as clients and platforms sign them, good ones and odd ones."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ostiary.oauth.client.client_authentication import JWT_BEARER

Key = ECKey | OKPKey | RSAKey


def new_key(kid: str = "k1") -> ECKey:
    """A key for ES256."""
    return ECKey.generate_key("P-256", {"kid": kid}, private=True)


def public(*keys: Key) -> dict[str, Any]:
    """Their public parts, as a JWKS."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Any, claims: dict[str, Any], **header: Any) -> str:
    """A JWT with whatever claims and header."""
    said = {"alg": "ES256", "kid": getattr(key, "kid", None), **header}
    said = {name: value for name, value in said.items() if value is not None}
    registry = JWSRegistry(algorithms=[said["alg"]], strict_check_header=False)
    return jwt.encode(said, claims, key, registry=registry)


def statement(client_id: str, audience: str | list[str], now: float, **claims: Any) -> dict[str, Any]:
    """What a client says of itself (RFC 7523 section 3)."""
    said = {"iss": client_id, "sub": client_id, "aud": audience, "jti": "one", "iat": now, "exp": now + 60}
    return {name: value for name, value in (said | claims).items() if value is not None}


def form(assertion: str, **more: str) -> dict[str, str]:
    """A client's own token, asked for with an assertion."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion,
        **more,
    }
