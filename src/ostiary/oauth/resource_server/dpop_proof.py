"""A DPoP proof as the server that gets it sees it. RFC 9449 sections 4.3, 8 and 9.

The key that signs stands in the proof itself: what is proven is that the sender has it, and its thumbprint is
what tokens are bound to. That a proof comes once is the store's to check, by `jti`, while `iat` lets it in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.client.dpop_proof import token_hash
from ostiary.oauth.confirmation import KEY_MEMBERS, jwk_thumbprint
from ostiary.oauth.errors import InvalidDpopProof
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.oauth.jwt_parts import JwtParts, NotAJwt, is_jwt, jwt_parts
from ostiary.oauth.signature_rules import SignatureRules

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")
"""`dpop_signing_alg_values_supported`."""
MAX_CHARACTERS = 8 * 1024
MAX_NAME = 256
"""The longest `jti`; it is stored."""

_KEYS: Mapping[str, tuple[type[ECKey | OKPKey | RSAKey], str, str | None]] = {
    "ES256": (ECKey, "EC", "P-256"),
    "EdDSA": (OKPKey, "OKP", "Ed25519"),
    "Ed25519": (OKPKey, "OKP", "Ed25519"),
    "PS256": (RSAKey, "RSA", None),
    "RS256": (RSAKey, "RSA", None),
}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


_RULES = {alg: SignatureRules(alg) for alg in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """The sender had the key with this thumbprint when it made the request."""

    jkt: str
    jti: str
    iat: float


def check_proof(
    proof: str,
    *,
    method: str,
    url: CanonicalUrl,
    now: float,
    window: float = 300,
    access_token: str | None = None,
) -> VerifiedProof:
    """Raise InvalidDpopProof unless the proof is good for this request, at this time.

    method and url: of the request, as clients see it; window: seconds that a proof may be old; access_token:
    the one it came with, none at a token endpoint. No nonce is asked for. Whether the token is bound to this
    key, `is_confirmed` says.
    """
    jwt = _read(proof)
    jkt = _check_signature(proof, jwt)
    jti = _check_names(jwt)
    _check_request(jwt, method, url)
    iat = _check_time(jwt, now, window)
    if access_token is not None:
        _check_token(jwt, access_token)
    return VerifiedProof(jkt, jti, iat)


def _read(proof: str) -> JwtParts:
    if len(proof) > MAX_CHARACTERS or not is_jwt(proof):
        raise InvalidDpopProof("the DPoP header is not one signed JWT")
    try:
        jwt = jwt_parts(proof)
    except NotAJwt as error:
        raise InvalidDpopProof(f"the DPoP proof is malformed: {error}") from None
    if jwt.header.get("typ") != "dpop+jwt":
        raise InvalidDpopProof("the DPoP proof's typ is not dpop+jwt")
    if jwt.header.get("alg") not in ALGORITHMS:
        raise InvalidDpopProof(f"the DPoP proof's alg is none of {', '.join(ALGORITHMS)}")
    return jwt


def _check_signature(proof: str, jwt: JwtParts) -> str:
    """The thumbprint of the key in the header, which the signature must match."""
    alg, jwk = str(jwt.header["alg"]), jwt.header.get("jwk")
    if not isinstance(jwk, dict):
        raise InvalidDpopProof("the DPoP proof has no jwk in its header")
    if not _PRIVATE.isdisjoint(jwk):
        raise InvalidDpopProof(
            "the DPoP proof's jwk has a private part; make a new key, as this one is known now"
        )
    kind, kty, curve = _KEYS[alg]
    if (jwk.get("kty"), jwk.get("crv")) != (kty, curve):
        raise InvalidDpopProof(f"the DPoP proof's jwk is not a key for {alg}")
    if kty == "RSA":
        _check_rsa(jwk)
    try:
        thumbprint = jwk_thumbprint(jwk)
        key = kind.import_key({name: jwk[name] for name in KEY_MEMBERS[kty]})
        jws.deserialize_compact(proof, key, registry=_RULES[alg])
    except (JoseError, ValueError, TypeError):
        raise InvalidDpopProof("the DPoP proof's signature does not match the jwk in its header") from None
    return thumbprint


def _check_rsa(jwk: Mapping[str, Any]) -> None:
    """Strangers choose this key: no weak one, and none that takes long to verify with."""
    modulus, exponent = jwk.get("n"), jwk.get("e")
    if isinstance(modulus, str) and isinstance(exponent, str) and len(modulus) <= 683 and len(exponent) <= 6:
        try:
            raw = base64.b64decode(modulus + "=" * (-len(modulus) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if int.from_bytes(raw).bit_length() >= 2048:
            return
    raise InvalidDpopProof("the DPoP proof's jwk is not an RSA key of 2048 to 4096 bits")


def _check_names(jwt: JwtParts) -> str:
    for claim in ("htm", "htu", "jti"):
        if not jwt.text(claim):
            raise InvalidDpopProof(f"the DPoP proof lacks a proper {claim} claim")
    jti = jwt.claims["jti"]
    if len(jti) > MAX_NAME or not jti.isascii() or not jti.isprintable():
        raise InvalidDpopProof(f"the DPoP proof's jti is not {MAX_NAME} printable ASCII characters at most")
    return str(jti)


def _check_request(jwt: JwtParts, method: str, url: CanonicalUrl) -> None:
    if jwt.claims["htm"] != method:
        raise InvalidDpopProof("the DPoP proof is for another method")
    said = jwt.claims["htu"].partition("#")[0].partition("?")[0]
    try:
        matches = canonical_url(said) == replace(url, query=None)
    except UrlRefused as error:
        raise InvalidDpopProof(f"the DPoP proof's htu can't be read: {error}") from None
    if not matches:
        raise InvalidDpopProof("the DPoP proof is for another URL")


def _check_time(jwt: JwtParts, now: float, window: float) -> float:
    iat = jwt.moment("iat")
    if iat is None:
        raise InvalidDpopProof("the DPoP proof lacks a proper iat claim")
    if not -LEEWAY <= now - iat <= window:
        direction = "ahead of" if iat > now else "behind"
        raise InvalidDpopProof(f"the DPoP proof's iat is {abs(now - iat):.0f} seconds {direction} our clock")
    return iat


def _check_token(jwt: JwtParts, access_token: str) -> None:
    said = jwt.text("ath")
    expected = token_hash(access_token) if access_token.isascii() else ""
    if not said or not hmac.compare_digest(said.encode("utf-8", "surrogatepass"), expected.encode("ascii")):
        raise InvalidDpopProof("the DPoP proof is for another access token")
