"""What our access tokens say. RFC 9068 section 2.2, RFC 8693 section 4, RFC 7800."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

RESERVED = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "scp", "tsid"),
        *("cnf", "act", "may_act", "auth_time", "azp", "sid", "events"),
        *("nonce", "at_hash", "c_hash", "s_hash", "typ", "token_use"),
    }
)
"""What only we say, and what makes a token another kind of token: never taken from an upstream."""


class FittingClaims(NamedTuple):
    """What goes into a token, and the names of what could not."""

    claims: dict[str, Any]
    left_out: list[str]


def fitting_claims(
    claims: Mapping[str, Any], wanted: Sequence[str], *, max_bytes: int = 4096
) -> FittingClaims:
    """Those of a person's claims that a resource asks for, in that order, until the token is full.

    A token travels in a header, and servers' limits are near. A claim is whole or absent: half a list of
    groups would read as somebody else's.
    """
    fitting: dict[str, Any] = {}
    left_out: list[str] = []
    room = max_bytes
    for name in dict.fromkeys(wanted):
        if claims.get(name) is None:
            continue
        size = None if name in RESERVED else _size(name, claims[name])
        if size is None or size > room:
            left_out.append(name)
        else:
            fitting[name] = claims[name]
            room -= size
    return FittingClaims(fitting, left_out)


def access_token_claims(  # noqa: PLR0913 - an argument a claim
    *,
    issuer: str,
    subject: str,
    audience: str,
    client_id: str,
    scopes: Sequence[str],
    jti: str,
    now: float,
    lifetime: float,
    tsid: str | None = None,
    claims: Mapping[str, Any] | None = None,
    confirmation: Mapping[str, Any] | None = None,
    act: Mapping[str, Any] | None = None,
    auth_time: float | None = None,
) -> dict[str, Any]:
    """The payload. claims: what `fitting_claims` let in; a name that is ours stays ours whatever they say."""
    issued_at = int(now)
    ours: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "client_id": client_id,
        "jti": jti,
        "iat": issued_at,
        "exp": issued_at + int(lifetime),
    }
    if scopes:
        ours["scope"] = " ".join(scopes)
    if tsid is not None:
        ours["tsid"] = tsid
    if auth_time is not None:
        ours["auth_time"] = int(auth_time)
    if confirmation is not None:
        ours["cnf"] = confirmation
    if act is not None:
        ours["act"] = act
    if claims:
        ours |= {name: value for name, value in claims.items() if name not in RESERVED}
    return ours


def _size(name: str, value: object) -> int | None:
    """Bytes in the token's JSON; None for what can't be written there."""
    try:
        return len(msgspec.json.encode({name: value}))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None
