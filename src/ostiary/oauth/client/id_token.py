"""Who signed in, heard: ID tokens that an upstream gives us. OpenID Connect Core section 3.1.3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import LEEWAY, check_claims

OLDEST = 24 * 3600.0
"""Seconds since `iat`; an issuer whose clock is a day off is no witness of a sign-in."""
MAX_SUBJECT = 255

_TENANT = re.compile(r"[0-9A-Za-z-]{1,64}")
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class IdTokenRefused(ValueError):
    """An upstream's ID token that proves nobody's sign-in to us. The message says why and quotes nothing."""

    def __init__(self, reason: str, *, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail
        """For the log: what exactly was wrong; no secrets."""


def half_hash(token: str, alg: str) -> str:
    """`at_hash`: the left half of a hash as strong as the signature (section 3.1.3.6).

    Raises ValueError for an algorithm that has none.
    """
    digest = _HASHES["512"] if alg in {"EdDSA", "Ed25519"} else _HASHES.get(alg[2:])
    if digest is None:
        raise ValueError(f"nobody knows which hash goes with {alg[:20]}")
    whole = digest(token.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode("ascii")


def issuer_matches(template: str, claims: Mapping[str, Any]) -> bool:
    """Whether a token is of this issuer. `{tenantid}` in it stands for the token's own tenant.

    Entra ID's multi-tenant issuers describe themselves so; the tenant is one name, never a path.
    """
    issuer, tenant = claims.get("iss"), claims.get("tid")
    if "{tenantid}" not in template:
        return issuer == template
    if not isinstance(tenant, str) or _TENANT.fullmatch(tenant) is None:
        return False
    return issuer == template.replace("{tenantid}", tenant)


def check_id_token(  # noqa: PLR0913 - an argument a rule
    claims: Mapping[str, Any],
    *,
    issuers: Collection[str],
    client_id: str,
    nonce: str | None,
    now: float,
    max_age: float | None = None,
    access_token: str | None = None,
    alg: str = "RS256",
) -> None:
    """Raise IdTokenRefused unless a token whose signature is good tells us of a sign-in that we asked for.

    issuers: letter for letter, or with `{tenantid}`; client_id: ours there; nonce: what we sent, None when
    there was no authorization request (section 12.2); access_token: what came with it; alg: of its header.
    """
    if not any(issuer_matches(issuer, claims) for issuer in issuers):
        raise IdTokenRefused(
            "the ID token is from another issuer", detail=f"issuer {claims.get('iss')!r:.200}"
        )
    _check_claims(claims, client_id, now)
    _check_party(claims, client_id)
    _check_nonce(claims, nonce)
    _check_moments(claims, now, max_age)
    _check_access_token(claims, access_token, alg)


def _check_claims(claims: Mapping[str, Any], client_id: str, now: float) -> None:
    try:
        check_claims(claims, issuers={str(claims["iss"])}, audiences={client_id}, now=now)
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", "the ID token")
        raise IdTokenRefused(sentence, detail=refused.detail) from None
    if len(claims["sub"].encode("utf-8", "surrogatepass")) > MAX_SUBJECT:
        raise IdTokenRefused(f"the ID token's sub is longer than {MAX_SUBJECT} bytes")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Section 3.1.3.7, 4 and 5: a token for several parties says for which of them it was made."""
    azp = claims.get("azp")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if azp is None and several:
        raise IdTokenRefused("the ID token has several audiences and no azp")
    if azp is not None and azp != client_id:
        raise IdTokenRefused("the ID token was made for another client", detail=f"azp {azp!r:.200}")


def _check_nonce(claims: Mapping[str, Any], nonce: str | None) -> None:
    if nonce is None:
        return
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(_bytes(said), _bytes(nonce)):
        raise IdTokenRefused("the ID token does not have the nonce of this sign-in")


def _check_moments(claims: Mapping[str, Any], now: float, max_age: float | None) -> None:
    issued_at = claims.get("iat")
    if issued_at is None:
        raise IdTokenRefused("the ID token lacks a proper iat claim")
    if now - issued_at > OLDEST:
        raise IdTokenRefused("the ID token was issued long ago", detail=f"{now - issued_at:.0f} seconds ago")
    if max_age is None:
        return
    signed_in_at = claims.get("auth_time")
    if isinstance(signed_in_at, bool) or not isinstance(signed_in_at, int | float):
        raise IdTokenRefused("the ID token does not say when the person signed in, which max_age asks for")
    if not -LEEWAY <= now - signed_in_at <= max_age + LEEWAY:
        raise IdTokenRefused("the person signed in longer ago than max_age allows")


def _check_access_token(claims: Mapping[str, Any], access_token: str | None, alg: str) -> None:
    said = claims.get("at_hash")
    if said is None or access_token is None:
        return
    try:
        expected = half_hash(access_token, alg)
    except ValueError as error:
        raise IdTokenRefused(f"the ID token's at_hash can't be checked: {error}") from None
    if not isinstance(said, str) or not hmac.compare_digest(_bytes(said), _bytes(expected)):
        raise IdTokenRefused("the ID token belongs to another access token: its at_hash differs")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
