"""What kind of token a text is, by what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

from ostiary.oauth.jwt_parts import JwtParts
from ostiary.oauth.resource_server.access_token import GOOGLE, IAP, is_access_token, media_type


class TokenKind(StrEnum):
    """Kinds of tokens, in words."""

    GOOGLE_ID_TOKEN = "Google ID token"  # noqa: S105 - a name, as all of these
    GOOGLE_ACCESS_TOKEN = "Google access token"  # noqa: S105
    IAP_ASSERTION = "assertion of Google's Identity-Aware Proxy"
    KUBERNETES = "Kubernetes service account token"
    SPIFFE = "SPIFFE JWT-SVID"
    ACCESS_TOKEN = "access token (RFC 9068)"  # noqa: S105
    JWT_ACCESS_TOKEN = "access token in the form of a JWT"  # noqa: S105
    ID_JAG = "identity assertion authorization grant (ID-JAG)"
    DPOP_PROOF = "DPoP proof (RFC 9449)"
    CLIENT_ASSERTION = "client assertion (RFC 7523)"
    ID_TOKEN = "ID token"  # noqa: S105
    JWT = "JWT"
    JWE = "encrypted token (JWE)"
    GITHUB = "GitHub token"
    OPAQUE = "opaque token"


_TYPES: Mapping[str | None, TokenKind] = {
    "at+jwt": TokenKind.ACCESS_TOKEN,
    "oauth-id-jag+jwt": TokenKind.ID_JAG,
    "dpop+jwt": TokenKind.DPOP_PROOF,
    "client-authentication+jwt": TokenKind.CLIENT_ASSERTION,
    "id+jwt": TokenKind.ID_TOKEN,
}
"""What the header's `typ` settles (RFC 8725 section 3.11)."""


def _may_do_something(jwt: JwtParts) -> bool:
    said = not {"scope", "scp", "client_id"}.isdisjoint(jwt.claims)
    return said and is_access_token(jwt.claims, jwt.header.get("typ"))


_CLAIMS: tuple[tuple[TokenKind, Callable[[JwtParts], bool]], ...] = (
    (TokenKind.GOOGLE_ID_TOKEN, lambda jwt: jwt.issuer in GOOGLE),
    (TokenKind.IAP_ASSERTION, lambda jwt: jwt.issuer == IAP),
    (TokenKind.KUBERNETES, lambda jwt: (jwt.text("sub") or "").startswith("system:serviceaccount:")),
    (TokenKind.SPIFFE, lambda jwt: (jwt.text("sub") or "").startswith("spiffe://")),
    (TokenKind.JWT_ACCESS_TOKEN, _may_do_something),
    (TokenKind.ID_TOKEN, lambda jwt: not {"nonce", "at_hash", "auth_time", "azp"}.isdisjoint(jwt.claims)),
    (TokenKind.CLIENT_ASSERTION, lambda jwt: jwt.issuer is not None and jwt.issuer == jwt.text("sub")),
)

_SHAPES = (
    (TokenKind.GOOGLE_ACCESS_TOKEN, re.compile(r"ya29\.\S+")),
    (TokenKind.GITHUB, re.compile(r"(gh[oprsu]_|github_pat_)\w+")),
    (TokenKind.JWE, re.compile(r"eyJ[\w-]*(\.[\w-]*){4}")),
)
"""What stands outside a JWT. A Google access token may have three parts, and is none."""


def kind_of_jwt(jwt: JwtParts) -> TokenKind:
    """By the header's `typ`, else by the claims."""
    named = media_type(jwt.header.get("typ"))
    if named in _TYPES:
        return _TYPES[named]
    return next((kind for kind, fits in _CLAIMS if fits(jwt)), TokenKind.JWT)


def kind_of_text(token: str) -> TokenKind:
    """What a token that is no JWT looks like."""
    return next((kind for kind, shape in _SHAPES if shape.fullmatch(token)), TokenKind.OPAQUE)
