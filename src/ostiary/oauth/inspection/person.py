"""Who signed in, as a token says. Unverified: to show to that very person, and for nothing else."""

from __future__ import annotations

from ostiary.oauth.jwt_parts import NotAJwt, jwt_parts

_NAMES = ("email", "preferred_username", "name", "sub")
"""The claims that tell a person best, the best first (OpenID Connect Core section 5.1)."""


def person_of(*tokens: str | None) -> str | None:
    """A name out of the first of these tokens that is a JWT and has one."""
    for token in tokens:
        try:
            claims = jwt_parts(token or "")
        except NotAJwt:
            continue
        for name in _NAMES:
            if text := claims.text(name):
                return text
    return None
