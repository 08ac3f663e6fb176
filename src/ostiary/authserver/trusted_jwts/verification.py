"""A trusted issuer's JWT: whose it is, and whether one of that issuer's keys signed it. RFC 7515, RFC 8725.

What it then must claim depends on what it is taken for: see `oauth/id_jag_claims`, `oauth/trusted_subject`,
`oauth/client_assertion_claims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ostiary.authserver.config.trusted_issuers import TrustedIssuer, TrustedUse
from ostiary.identity.jwt_verifier import UnverifiedJwt, read_jwt, verify
from ostiary.identity.key_sets import KeyLocation, KeySets
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.errors import InvalidToken, TemporarilyUnavailable
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.server.errors import Unavailable

DEEPEST = 32
"""Levels of objects and lists in honest claims: ten actors, each inside the next, and some to spare."""


@dataclass(frozen=True, slots=True)
class TrustedJwt:
    """What a trusted issuer said. Its signature is good; its claims are still to be checked."""

    trusted: TrustedIssuer
    typ: object
    """Of its header, as it stands there: what kind of JWT it is."""
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrustedIssuers:
    """Those of the configuration, and their keys."""

    entries: Sequence[TrustedIssuer]
    key_sets: KeySets

    async def verify(self, token: str, use: TrustedUse) -> TrustedJwt:
        """As `verify_trusted_jwt`."""
        return await verify_trusted_jwt(token, self.entries, use, self.key_sets)


async def verify_trusted_jwt(
    token: str, issuers: Iterable[TrustedIssuer], use: TrustedUse, key_sets: KeySets
) -> TrustedJwt:
    """What an issuer that is trusted for this use said.

    Raises InvalidToken, whose sentences begin with "the token", and Unavailable when the issuer's keys can't
    be had now.
    """
    jwt = read_jwt(token)
    trusted = _trusted(jwt, issuers, use)
    try:
        keys = await key_sets.get(key_location(trusted), kid=jwt.kid)
    except TemporarilyUnavailable as away:
        raise Unavailable(
            "the keys of the token's issuer cannot be fetched now; nothing was spent",
            retry_after=away.retry_after,
            detail=away.detail,
        ) from None
    claims = verify(jwt, keys)
    if not _is_shallow(claims, DEEPEST):
        raise InvalidToken(
            "the token is malformed",
            reason=Refusal.MALFORMED,
            detail=f"its claims are nested more than {DEEPEST} deep",
        )
    return TrustedJwt(trusted, jwt.typ, claims)


def key_location(trusted: TrustedIssuer) -> KeyLocation:
    """Where its keys are. Only who is on this machine may send us to an address on this machine."""
    at_home = (trusted.jwks_url or canonical_url(trusted.issuer)).is_loopback
    return KeyLocation(trusted.issuer, trusted.jwks_url, replace(trusted.reach, loopback=at_home))


def _trusted(jwt: UnverifiedJwt, issuers: Iterable[TrustedIssuer], use: TrustedUse) -> TrustedIssuer:
    for trusted in issuers:
        if trusted.issuer == jwt.issuer and use in trusted.use:
            return trusted
    raise InvalidToken(
        "the token is from an issuer that is not accepted here",
        reason=Refusal.WRONG_ISSUER,
        detail=f"issuer {(jwt.issuer or '(none)')[:200]!r} is not in trusted_issuers with use: [{use}]",
    )


def _is_shallow(value: object, levels: int) -> bool:
    match value:
        case dict():
            return levels > 0 and all(_is_shallow(member, levels - 1) for member in value.values())
        case list():
            return levels > 0 and all(_is_shallow(member, levels - 1) for member in value)
    return True
