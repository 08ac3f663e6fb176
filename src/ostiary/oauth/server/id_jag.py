"""An ID-JAG at the issuer that it is for: whom a company's IdP vouches for, where, and through which client.

draft-ietf-oauth-identity-assertion-authz-grant; MCP enterprise-managed authorization; RFC 7523 section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import LEEWAY, check_claims, scopes_of
from ostiary.oauth.server.errors import InvalidGrant

TYPE = "oauth-id-jag+jwt"
MAX_NAME = 256
"""The longest `jti`; it is stored."""


@dataclass(frozen=True, slots=True)
class IdJag:
    """What a verified ID-JAG grants, unless its `jti` was seen before."""

    issuer: str
    subject: str
    resource: str
    """As it stands there; `canonical_url` reads it."""
    scopes: tuple[str, ...]
    """What it allows at most; empty when it leaves that to us."""
    jti: str
    expires_at: float
    """When it is refused whoever brings it: until then its `jti` must be remembered."""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All of them; a `cnf` among them names the key that whoever brings it must prove."""


def check_id_jag(
    claims: Mapping[str, Any],
    header_typ: object,
    *,
    issuer: str,
    our_issuer: str,
    client_id: str,
    now: float,
    max_age: float = 300,
) -> IdJag:
    """Raise InvalidGrant unless an assertion whose signature is good is an ID-JAG for us and this client.

    issuer: the IdP's, as configured; client_id: of the authenticated client; max_age: seconds since `iat`.
    """
    _check_type(header_typ)
    _check(claims, issuer, our_issuer, now)
    if claims.get("client_id") != client_id:
        raise InvalidGrant("the assertion was given to another client than the one that sends it")
    if not isinstance(claims.get("iat"), int | float):
        raise InvalidGrant("the assertion lacks a proper iat claim")
    if now - claims["iat"] > max_age + LEEWAY:
        raise InvalidGrant(
            f"the assertion is older than {max_age:.0f} seconds; ask the identity provider again"
        )
    return IdJag(
        issuer,
        claims["sub"],
        _resource(claims.get("resource")),
        tuple(sorted(scopes_of(claims))),
        _jti(claims.get("jti")),
        min(claims["exp"], claims["iat"] + max_age) + LEEWAY,
        claims,
    )


def _check_type(typ: object) -> None:
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else None
    if named != TYPE:
        said = "has no typ" if typ is None else f"has typ {typ!r:.80}"
        raise InvalidGrant(f"the assertion {said}; only {TYPE} is taken here")


def _check(claims: Mapping[str, Any], issuer: str, our_issuer: str, now: float) -> None:
    try:
        check_claims(claims, issuers={issuer}, audiences={our_issuer}, now=now)
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", "the assertion")
        raise InvalidGrant(sentence, detail=refused.detail) from None
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1:
        raise InvalidGrant("the assertion has more audiences than our issuer")


def _resource(said: object) -> str:
    """One server, as our tokens are for one; a list of one is the same (RFC 8707 section 2)."""
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    if not isinstance(said, str) or not said:
        raise InvalidGrant("the assertion does not name exactly one resource")
    return said


def _jti(said: object) -> str:
    if not isinstance(said, str) or not 0 < len(said) <= MAX_NAME or not said.isprintable():
        raise InvalidGrant(f"the assertion lacks a jti of 1 to {MAX_NAME} printable characters")
    return said
