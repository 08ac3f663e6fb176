"""A key of our own that tokens are bound to (RFC 9449), and the nonces that its proofs must have.

The key lives as long as the process and never leaves it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from joserfc.jwk import ECKey

from ostiary.oauth.client.dpop_proof import dpop_proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.oauth.canonical_url import CanonicalUrl


class DpopKey:
    """A fresh P-256 key. clock: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key: ECKey = ECKey.generate_key("P-256")
        self._nonces: dict[str, str] = {}

    def proof(self, method: str, url: CanonicalUrl, *, nonce_of: str, access_token: str | None = None) -> str:
        """The DPoP header of one request. nonce_of: whose last nonce goes in, as told to `take_nonce`."""
        return dpop_proof(
            self._key,
            method=method,
            url=url,
            now=self._clock(),
            jti=secrets.token_urlsafe(16),
            access_token=access_token,
            nonce=self._nonces.get(nonce_of),
        )

    def take_nonce(self, nonce_of: str, nonce: str) -> None:
        """Put this nonce in the next proofs for that server."""
        self._nonces[nonce_of] = nonce
