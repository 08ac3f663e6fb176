"""What a token whose signature is good must still claim. RFC 7519 section 4.1, RFC 9068 section 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LEEWAY = 30.0
"""Seconds of clock difference that we forgive."""


def check_claims(
    claims: Mapping[str, Any],
    *,
    issuers: Collection[str],
    audiences: Collection[str],
    now: float,
    leeway: float = LEEWAY,
) -> None:
    """Raise InvalidToken unless the token is of one of the issuers, for one of the audiences, and good now.

    now: seconds since the epoch. Strings are compared letter for letter.
    """
    _check_issuer(claims, issuers)
    _check_audience(claims, audiences)
    _check_time(claims, now, leeway)
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _missing("sub")


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` (RFC 8693 section 4.2), or `scp` as Entra ID and Okta call it; a string or a list."""
    said = _first(claims, "scope", "scp")
    if isinstance(said, str):
        return frozenset(said.split())
    return (
        frozenset(scope for scope in said if isinstance(scope, str))
        if isinstance(said, list)
        else frozenset()
    )


def client_of(claims: Mapping[str, Any]) -> str | None:
    """The client that the token was given to: `client_id` (RFC 9068 section 2.2), else `azp` (OIDC)."""
    client = _first(claims, "client_id", "azp")
    return client if isinstance(client, str) else None


def _first(claims: Mapping[str, Any], *names: str) -> Any:
    """The first claim of these that is there; null is absent."""
    return next((claims[name] for name in names if claims.get(name) is not None), None)


def _check_issuer(claims: Mapping[str, Any], issuers: Collection[str]) -> None:
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise _missing("iss")
    if issuer not in issuers:
        raise InvalidToken(
            "the token is from an issuer that is not accepted here",
            reason=Refusal.WRONG_ISSUER,
            detail=f"issuer {issuer!r} is none of {_listed(issuers)}",
        )


def _check_audience(claims: Mapping[str, Any], audiences: Collection[str]) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not named or not all(isinstance(one, str) for one in named):
        raise _missing("aud")
    if not any(one in audiences for one in named):
        raise InvalidToken(
            "the token is for another audience",
            reason=Refusal.WRONG_AUDIENCE,
            detail=f"audience {_listed(named)} is none of {_listed(audiences)}",
        )


def _check_time(claims: Mapping[str, Any], now: float, leeway: float) -> None:
    expires_at = _moment(claims, "exp")
    if expires_at is None:
        raise _missing("exp")
    if now >= expires_at + leeway:
        raise InvalidToken(
            "the token has expired",
            reason=Refusal.EXPIRED,
            detail=f"it expired {now - expires_at:.0f} seconds ago",
        )
    for claim in ("nbf", "iat"):
        moment = _moment(claims, claim)
        if moment is not None and moment > now + leeway:
            raise InvalidToken(
                "the token is not valid yet",
                reason=Refusal.NOT_YET_VALID,
                detail=f"its {claim} is {moment - now:.0f} seconds ahead of our clock",
            )


def _moment(claims: Mapping[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise _missing(claim)
    return float(value)


def _missing(claim: str) -> InvalidToken:
    return InvalidToken(
        f"the token lacks a proper {claim} claim",
        reason=Refusal.MISSING_CLAIM,
        detail=f"claim {claim} is absent or of the wrong type",
    )


def _listed(values: Collection[str]) -> str:
    return ", ".join(repr(value[:200]) for value in list(values)[:5])
