"""A provider's ID token, verified: signature, then claims. OpenID Connect Core sections 3.1.3.7 and 12.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostiary.identity.jwt_verifier import MAX_BYTES_OF_AN_ANSWER, UnverifiedJwt, read_jwt, verify
from ostiary.identity.key_sets import KeyLocation, KeySets
from ostiary.oauth.client.id_token import check_id_token
from ostiary.oauth.client.server_metadata import jwks_uri
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.refusal import Refusal
from ostiary.transport.reach import Reach


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token of one login, or of one renewal, has to say."""

    client_id: str
    nonce: str | None = None
    max_age: int | None = None
    access_token: str | None = None
    """What came with it: it has to be the one that `at_hash` means."""


@dataclass(frozen=True, slots=True)
class IdTokenVerifier:
    """Of one issuer. accepted: its names as tokens may have them; algorithms: how they may be signed."""

    key_sets: KeySets
    issuer: str
    accepted: Sequence[str]
    algorithms: Sequence[str]

    async def verify(
        self, token: str, expected: Expected, metadata: Mapping[str, Any], *, reach: Reach, now: float
    ) -> dict[str, Any]:
        """Its claims. reach: for the keys, whose address the metadata has.

        Raises IdTokenRefused, InvalidToken, MetadataRefused, UrlRefused, TemporarilyUnavailable.
        """
        jwt = read_jwt(token, max_bytes=MAX_BYTES_OF_AN_ANSWER)
        claims = await self.verify_signature(jwt, metadata, reach=reach)
        check_id_token(
            claims,
            issuers=self.accepted,
            client_id=expected.client_id,
            nonce=expected.nonce,
            now=now,
            max_age=expected.max_age,
            access_token=expected.access_token,
            alg=jwt.alg,
        )
        return claims

    async def verify_signature(
        self, jwt: UnverifiedJwt, metadata: Mapping[str, Any], *, reach: Reach
    ) -> dict[str, Any]:
        """The claims of a token that one of the issuer's keys has signed, and nothing else is known of."""
        if jwt.alg not in self.algorithms:
            raise InvalidToken(
                "the token is signed with an algorithm that is not accepted",
                reason=Refusal.ALG_NOT_ALLOWED,
                detail=f"alg {jwt.alg}; id_token_algorithms has {', '.join(self.algorithms)}",
            )
        location = KeyLocation(self.issuer, jwks_uri(metadata, issuer=self.issuer), reach)
        return verify(jwt, await self.key_sets.get(location, kid=jwt.kid))
