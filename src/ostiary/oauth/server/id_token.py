"""Who signed in, told: ID tokens that we give. OpenID Connect Core sections 2 and 5.4."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ostiary.oauth.client.id_token import half_hash

SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": (
        *("name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile"),
        *("picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""Which claims a scope asks for (section 5.4)."""


def id_token_claims(  # noqa: PLR0913 - an argument a claim
    *,
    issuer: str,
    subject: str,
    client_id: str,
    now: float,
    lifetime: float,
    nonce: str | None = None,
    auth_time: float | None = None,
    access_token: str | None = None,
    alg: str = "ES256",
    scopes: Collection[str] = (),
    person: Mapping[str, Any] | None = None,
    amr: Sequence[str] = (),
) -> dict[str, Any]:
    """The payload of ours. alg: what it will be signed with; person: what is known of who signed in."""
    issued_at = int(now)
    claims = {
        "iss": issuer,
        "sub": subject,
        "aud": client_id,
        "exp": issued_at + int(lifetime),
        "iat": issued_at,
        "auth_time": None if auth_time is None else int(auth_time),
        "nonce": nonce,
        "at_hash": None if access_token is None else half_hash(access_token, alg),
        "amr": list(amr) or None,
    }
    told = {name: value for name, value in claims.items() if value is not None}
    return scope_claims(person or {}, scopes) | told


def scope_claims(person: Mapping[str, Any], scopes: Collection[str]) -> dict[str, Any]:
    """What these scopes let a client see of a person; also the answer of our userinfo (section 5.3.2)."""
    seen = [name for scope, names in SCOPE_CLAIMS.items() if scope in scopes for name in names]
    return {name: person[name] for name in seen if person.get(name) is not None}
