"""ID tokens and access tokens: minted, and counted so that a test can tell one fetch from two."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostiary.cloudrun.emulator.keys import EmulatorKey
    from ostiary.cloudrun.emulator.service_accounts import ServiceAccount

ISSUER = "https://accounts.google.com"
ACCESS_TOKEN_PREFIX = "ya29."  # noqa: S105 - the part that all have
LIFETIME = 3600
"""Seconds that a token is valid, as at Google."""


class AccessTokenUnknown(Exception):
    """We did not give this access token, or it is expired."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An opaque token: what it is worth stands on our side only."""

    value: str
    account: ServiceAccount
    scopes: tuple[str, ...]
    expires_at: float


class Mint:
    """Makes every token of the local Google."""

    def __init__(self, key: EmulatorKey, clock: Callable[[], float]) -> None:
        self.minted: Counter[str] = Counter()
        self._key = key
        self._clock = clock
        self._access_tokens: dict[str, AccessToken] = {}

    def id_token(self, account: ServiceAccount, audience: str, *, with_email: bool) -> str:
        """An ID token for one audience, signed RS256 (OpenID Connect Core 2)."""
        self.minted["id_token"] += 1
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": account.unique_id,
            "sub": account.unique_id,
            "iat": now,
            "exp": now + LIFETIME,
        }
        if with_email:
            claims |= {"email": account.email, "email_verified": True}
        return self._key.sign(claims)

    def access_token(
        self, account: ServiceAccount, scopes: Iterable[str], *, lifetime: int = LIFETIME
    ) -> AccessToken:
        """An access token that looks like Google's."""
        self.minted["access_token"] += 1
        now = self._clock()
        self._access_tokens = {
            value: kept for value, kept in self._access_tokens.items() if kept.expires_at > now
        }
        token = AccessToken(
            f"{ACCESS_TOKEN_PREFIX}c.{secrets.token_urlsafe(96)}", account, tuple(scopes), now + lifetime
        )
        self._access_tokens[token.value] = token
        return token

    def find_access_token(self, value: str) -> AccessToken:
        """What an access token stands for. Raises AccessTokenUnknown."""
        token = self._access_tokens.get(value)
        if token is None or token.expires_at <= self._clock():
            raise AccessTokenUnknown
        return token
