"""A JWT taken apart without its key (RFC 7515 section 7.1): nothing in it is proven."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 64 * 1024
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class NotAJwt(ValueError):
    """The text is not a signed JWT. The message says why, without the text."""


@dataclass(frozen=True, slots=True)
class JwtParts:
    """Header and claims; the signature stays behind."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def audiences(self) -> tuple[str, ...]:
        """`aud`, which may be one string or several."""
        audience = self.claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        return tuple(one for one in named if isinstance(one, str))

    @property
    def issuer(self) -> str | None:
        """`iss`."""
        return self.text("iss")

    def text(self, claim: str) -> str | None:
        """A claim that is a string."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else None

    def moment(self, claim: str) -> float | None:
        """A claim that is a time, in seconds since the epoch."""
        value = self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            return None
        return float(value)


def jwt_parts(token: str) -> JwtParts:
    """Take a signed JWT apart. Raises NotAJwt."""
    if len(token) > MAX_CHARACTERS:
        raise NotAJwt(f"it has {len(token)} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise NotAJwt("it has not the three parts of a signed JWT")
    return JwtParts(_json_object(parts[0], "header"), _json_object(parts[1], "payload"))


def is_jwt(text: str) -> bool:
    """Whether it has three parts in base64url; whoever takes it verifies it."""
    return _COMPACT.fullmatch(text) is not None


def unverified_claims(token: str) -> Mapping[str, Any]:
    """What it claims; nothing for a token that is no JWT. Not for a token of somebody whom we don't know."""
    try:
        return jwt_parts(token).claims
    except NotAJwt:
        return {}


def is_for(token: str, audiences: frozenset[str]) -> bool:
    """Whether it names one of these as its audience (RFC 7519 section 4.1.3)."""
    try:
        return not audiences.isdisjoint(jwt_parts(token).audiences)
    except NotAJwt:
        return False


def _json_object(part: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise NotAJwt(f"its {name} is not JSON in base64url") from None
    if not isinstance(value, dict):
        raise NotAJwt(f"its {name} is not a JSON object")
    return value
