"""How a client proves who it is: what it adds to each request."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.jwk import Key

from ostiary.oauth.client.client_authentication import JWT_BEARER


@dataclass(frozen=True)
class Proof:
    """One client's way. `form` is made anew for each request, as a statement counts once."""

    client_id: str
    method: str
    form: Callable[[], dict[str, str]] = field(default=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    certificate: tuple[Path, Path] | None = None


def by_name(client_id: str) -> Proof:
    """A public client."""
    return Proof(client_id, "none", lambda: {"client_id": client_id})


def by_secret(client_id: str, secret: str) -> Proof:
    """In the Authorization header (RFC 6749 section 2.3.1)."""
    return Proof(client_id, "client_secret_basic", auth=(quote_plus(client_id), quote_plus(secret)))


def by_secret_in_form(client_id: str, secret: str) -> Proof:
    """In the body."""
    form = {"client_id": client_id, "client_secret": secret}
    return Proof(client_id, "client_secret_post", lambda: form)


def by_statement(client_id: str, key: Key, audience: str) -> Proof:
    """Signed by the client itself (RFC 7523)."""

    def signed() -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60}
        claims["jti"] = secrets.token_urlsafe()
        return _assertion(jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key))

    return Proof(client_id, "private_key_jwt", signed)


def by_platform(client_id: str, token: str) -> Proof:
    """The platform's word for the workload, used until it ends."""
    return Proof(client_id, "private_key_jwt", lambda: _assertion(token))


def by_certificate(client_id: str, files: tuple[Path, Path]) -> Proof:
    """Of the connection (RFC 8705)."""
    return Proof(client_id, "tls_client_auth", lambda: {"client_id": client_id}, certificate=files)


def _assertion(token: str) -> dict[str, str]:
    return {"client_assertion_type": JWT_BEARER, "client_assertion": token}
