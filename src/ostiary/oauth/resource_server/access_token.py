"""What tells an access token from every other JWT of its issuer. RFC 9068 section 2.1, RFC 8725 section 3.11.

Most issuers sign access tokens, ID tokens and more with the same key. What a token says of itself decides:

    typ in the header      at+jwt says that it is one; JWT, or nothing, says nothing; all else, another kind
    typ, token_use         in the payload, as Keycloak and Cognito have it: it is one, or another kind
    marks of other kinds   counted only where nothing above says that it is one
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import client_of
from ostiary.oauth.refusal import Refusal

TYPE = "at+jwt"
"""The header's `typ`: what tells an access token from other JWTs of its issuer (RFC 9068 2.1)."""
GOOGLE = frozenset({"https://accounts.google.com", "accounts.google.com"})
"""Google writes its name in both ways."""
IAP = "https://cloud.google.com/iap"

_AUTHENTIK = re.compile(r"https?://[^?#]+/application/o/[\w-]+/")
"""Its issuer of one application."""

_UNTOLD: frozenset[str | None] = frozenset({None, "jwt"})
_SAID = ("typ", "token_use")
"""Claims in which Keycloak (`Bearer`, `ID`, `Refresh`) and Cognito (`access`, `id`) name the kind."""
_SAID_OF_ACCESS_TOKENS: frozenset[str | None] = frozenset({"bearer", "dpop", "access", TYPE})

_MARKS: Mapping[str, str] = {
    "nonce": "an ID token",
    "at_hash": "an ID token",
    "c_hash": "an ID token",
    "s_hash": "an ID token",
    "events": "a logout token or another security event",
}
"""OpenID Connect Core 3.3.2.11, FAPI 1, RFC 8417: what no access token needs."""
_WHAT_IT_MAY = ("scope", "scp", "azpacr")
"""Entra's `azpacr` says how the client proved itself: as an access token's `scp`, it is in no ID token."""


def require_access_token(claims: Mapping[str, Any], typ: object, *, required_typ: str | None = None) -> None:
    """Raise InvalidToken unless a JWT whose signature is good is an access token.

    typ: of its header; required_typ: what this issuer's access tokens have there, None where nobody knows.
    """
    named = media_type(typ)
    if required_typ is not None and named != media_type(required_typ):
        raise _refused(f"the token is not an access token: its typ is not {required_typ}", f"typ {typ!r:.80}")
    if required_typ is None and named not in _UNTOLD | {TYPE}:
        raise _refused("the token is another kind of JWT", f"typ {typ!r:.80}")
    if named in _UNTOLD and (detail := _what_else(claims)) is not None:
        raise _refused("the token is not an access token", detail)


def is_access_token(claims: Mapping[str, Any], typ: object) -> bool:
    """Whether `require_access_token` takes it."""
    try:
        require_access_token(claims, typ)
    except InvalidToken:
        return False
    return True


def media_type(typ: object) -> str | None:
    """A header's `typ`, to compare with (RFC 7515 section 4.1.9); what is no string is like none."""
    if isinstance(typ, str):
        return typ.lower().removeprefix("application/")
    return None if typ is None else repr(type(typ))


def _what_else(claims: Mapping[str, Any]) -> str | None:
    """What makes a JWT another kind, when its header does not say of which kind it is."""
    said = {name: media_type(claims.get(name)) for name in _SAID}
    for name, kind in said.items():
        if kind not in _UNTOLD | _SAID_OF_ACCESS_TOKENS:
            return f"its {name} claim is {claims[name]!r:.80}"
    if not _SAID_OF_ACCESS_TOKENS.isdisjoint(said.values()):
        return None
    for name, kind in _MARKS.items():
        if name in claims and not (name == "nonce" and _is_authentiks(claims)):
            return f"it has {name}, as {kind} has"
    return next((why for why, fits in _SHAPES if fits(claims)), None)


def _is_for_its_client(claims: Mapping[str, Any]) -> bool:
    """OpenID Connect Core section 2. An API that calls itself says what it may do there."""
    client = client_of(claims)
    alone = client is not None and claims.get("aud") in (client, [client])
    return alone and not any(name in claims for name in _WHAT_IT_MAY) and not _is_authentiks(claims)


def _is_authentiks(claims: Mapping[str, Any]) -> bool:
    """authentik's access tokens are its ID tokens, nonce and all, with two claims that those have not."""
    issuer = claims.get("iss")
    return (
        isinstance(issuer, str)
        and _AUTHENTIK.fullmatch(issuer) is not None
        and isinstance(claims.get("uid"), str)
        and isinstance(claims.get("azp"), str)
    )


def _is_googles(claims: Mapping[str, Any]) -> bool:
    return claims.get("iss") in (*GOOGLE, IAP)


def _is_entras(claims: Mapping[str, Any]) -> bool:
    """Its access tokens name the client that they were given to, in `azp` (2.0) or `appid` (1.0)."""
    is_entras = "tid" in claims and claims.get("ver") in ("1.0", "2.0")
    return is_entras and "azp" not in claims and "appid" not in claims


_SHAPES: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("its audience is its own client, as an ID token's is", _is_for_its_client),
    ("Google's access tokens are no JWTs: it is an ID token or an assertion", _is_googles),
    ("it names no client, as Entra's access tokens do: it is an ID token", _is_entras),
)


def _refused(description: str, detail: str) -> InvalidToken:
    return InvalidToken(description, reason=Refusal.WRONG_KIND, detail=detail)
