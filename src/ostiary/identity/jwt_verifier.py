"""A JWT's signature: which kinds we accept, and how it is checked. RFC 7515, RFC 8725.

The header chooses among the keys that the issuer publishes and among the algorithms listed here, and
nothing else: `jku`, `x5u`, `jwk` and `x5c` are never looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import JoseError

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.lone_surrogates import refuse_half_characters
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.signature_rules import SignatureRules

if TYPE_CHECKING:
    from ostiary.identity.key_set import KeySet

MAX_BYTES = 16 * 1024
"""The longest token that is read of a request. Header limits of servers are smaller."""
MAX_BYTES_OF_AN_ANSWER = 64 * 1024
"""The longest of an issuer's answer, which is bounded as a whole: hundreds of groups stand in some."""
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Asymmetric ones only: with a shared secret, whoever verifies could sign."""
_GOOGLE_ACCESS_TOKEN = "ya29"  # noqa: S105 - how all of them begin; many have three parts, as a JWT has


_RULES = {alg: SignatureRules(alg) for alg in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class UnverifiedJwt:
    """A token taken apart. Nothing in it is true before `verify`."""

    token: str
    alg: str
    kid: str | None
    claims: dict[str, Any]
    typ: object = None
    """What kind of JWT it says it is (RFC 8725 section 3.11), as it stands in the header."""

    @property
    def issuer(self) -> str | None:
        """Who it says it is from: good for choosing keys, for nothing else."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


def read_jwt(token: str, *, max_bytes: int = MAX_BYTES) -> UnverifiedJwt:
    """Take a token apart. Raises InvalidToken for what is no JWT, or signed in a way that is not accepted."""
    if len(token) > max_bytes:
        raise _refused("the token is too long", Refusal.TOO_LARGE, f"{len(token)} characters")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii() or parts[0] == _GOOGLE_ACCESS_TOKEN:
        detail = "it is encrypted (JWE)" if len(parts) == 5 else "it has not the three parts of a JWT"
        if parts[0] == _GOOGLE_ACCESS_TOKEN:
            detail = "it is a Google access token"
        raise _refused("the token is not a signed JWT", Refusal.OPAQUE_TOKEN, detail)
    header, claims = _json_object(parts[0], "header"), _json_object(parts[1], "payload")
    alg, kid = header.get("alg"), header.get("kid")
    _check_header(header, alg, kid)
    return UnverifiedJwt(token, str(alg), kid, claims, header.get("typ"))


def verify(jwt: UnverifiedJwt, keys: KeySet) -> dict[str, Any]:
    """The claims, once one of the issuer's keys has proven them. Raises InvalidToken."""
    candidates = keys.candidates(jwt.kid, jwt.alg)
    if not candidates:
        detail = f"no {jwt.alg} key with kid {(jwt.kid or '(none)')[:80]!r} in the issuer's key set"
        raise _refused(
            "the token is signed with a key that its issuer does not have", Refusal.UNKNOWN_KID, detail
        )
    if not any(_is_signed_by(key, jwt) for key in candidates):
        detail = f"the signature does not match kid {(jwt.kid or '(none)')[:80]!r}"
        raise _refused("the token's signature is wrong", Refusal.BAD_SIGNATURE, detail)
    return jwt.claims


def _is_signed_by(key: Any, jwt: UnverifiedJwt) -> bool:
    try:
        jws.deserialize_compact(jwt.token, key, registry=_RULES[jwt.alg])
    except (JoseError, ValueError):
        return False
    return True


def _check_header(header: dict[str, Any], alg: object, kid: object) -> None:
    if not isinstance(alg, str) or not (kid is None or isinstance(kid, str)):
        raise _refused(
            "the token is malformed", Refusal.MALFORMED, "alg or kid in its header is not a string"
        )
    if alg.lower() == "none":
        raise _refused("the token is not signed", Refusal.ALG_NONE, "alg is none")
    if alg.startswith("HS"):
        raise _refused(
            "the token is signed with a shared secret, which is not accepted",
            Refusal.SYMMETRIC_ALG,
            f"alg {alg[:20]!r}",
        )
    if alg not in ALGORITHMS:
        raise _refused(
            "the token is signed with an algorithm that is not accepted",
            Refusal.ALG_NOT_ALLOWED,
            f"alg {alg[:20]!r}",
        )
    if "crit" in header or "b64" in header:
        raise _refused(
            "the token demands an extension that is not supported",
            Refusal.UNSUPPORTED_HEADER,
            "crit or b64 in its header",
        )


def _json_object(part: str, name: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True).decode("utf-8")
        value = json.loads(text, object_pairs_hook=_each_name_once)
        refuse_half_characters(text, value)
    except (binascii.Error, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _refused(
            "the token is malformed", Refusal.MALFORMED, f"its {name} is not base64url of a JSON object"
        )
    return value


def _each_name_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7519 section 4: of two claims of one name, one reader would see this and another that."""
    named = dict(members)
    if len(named) != len(members):
        raise ValueError("a name stands twice")
    return named


def _refused(description: str, reason: Refusal, detail: str) -> InvalidToken:
    return InvalidToken(description, reason=reason, detail=detail)
