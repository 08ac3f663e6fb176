"""Our own access tokens, read back: proven by our key, in time, and not revoked. RFC 9068 section 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from ostiary.authserver.sessions.session import is_live as session_is_live
from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.authserver.tokens.revoked_tokens import is_revoked
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.identity.verified_tokens import VerifiedTokens
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.access_token import TYPE, require_access_token
from ostiary.storage.store import Store, digest

SignedBy = tuple[str, Mapping[str, Any]]
"""The id of a key, and what it signed. Time, session and revocation are looked at each time."""


@dataclass(frozen=True, slots=True)
class AccessTokenVerifier:
    """Reads them. issuer: our name; verified: those whose signature was checked before."""

    issuer: str
    signing: SigningKeys
    verified: VerifiedTokens[SignedBy]

    async def read(self, token: str, *, now: float) -> Mapping[str, Any]:
        """What it claims. Whether it was revoked, `is_live` says. Raises InvalidToken, StorageError."""
        kid, claims = self.verified.get(token) or (None, {})
        if kid is None or not self.signing.key_set().has(kid):
            claims = await self._verify(token)
        check_claims(claims, issuers={self.issuer}, audiences={str(claims.get("aud"))}, now=now)
        if now >= claims["exp"]:
            raise InvalidToken("the token has expired", reason=Refusal.EXPIRED)
        return claims

    async def _verify(self, token: str) -> Mapping[str, Any]:
        jwt = read_jwt(token)
        require_access_token(jwt.claims, jwt.typ, required_typ=TYPE)
        if jwt.kid is None:
            raise InvalidToken("the token does not name its key", reason=Refusal.UNKNOWN_KID)
        keys = self.signing.key_set()
        if not keys.has(jwt.kid):
            keys = await self.signing.key_set_with(jwt.kid)
        claims = MappingProxyType(dict(verify(jwt, keys)))  # nobody can change them any more
        self.verified.remember(token, (jwt.kid, claims))
        return claims


def is_live(connection: Connection, store: Store, claims: Mapping[str, Any], *, now: float) -> bool:
    """Whether its session lives, or for a token without one: whether it was not revoked itself."""
    if "tsid" in claims:
        return session_is_live(connection, store, digest(claims["tsid"]), now=now)
    return not is_revoked(connection, claims)
