"""Tokens of other issuers: whose they are, and whether they are access tokens at all. RFC 8693 section 2.1.

Most issuers sign access tokens and ID tokens with the same key and the same `typ`. What tells them apart: an
access token is for a resource, an ID token for a client, and an ID token has marks that no other has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims, client_of
from ostiary.oauth.server_errors import InvalidRequest

ID_TOKEN_MARKS = ("nonce", "at_hash", "c_hash", "s_hash")
"""OpenID Connect Core 3.3.2.11 and FAPI 1: what ties an ID token to its sign-in."""

_TYPES = frozenset({None, "jwt", "at+jwt"})
"""The header's `typ` where an issuer's is not known; every other kind of JWT names itself (RFC 8725 3.11)."""
_NO_ACCESS = frozenset({"id", "refresh"})
"""What Cognito (`token_use`) and Keycloak (`typ`) say in the payload of tokens of the same key."""
_SEPARATOR = re.compile(r"([:/])")


def check_subject_token(
    claims: Mapping[str, Any],
    typ: object,
    *,
    issuer: str,
    audiences: Collection[str],
    required_typ: str | None,
    now: float,
) -> str:
    """The subject of a foreign token whose signature is good. Raises InvalidRequest (section 2.2.2).

    typ: of its header; audiences: resources of ours, never a client's id; required_typ: what the operator
    knows that this issuer writes there, None when it writes nothing that tells.
    """
    _check_type(typ, required_typ)
    try:
        check_claims(claims, issuers={issuer}, audiences=audiences, now=now)
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", "the subject token")
        raise InvalidRequest(sentence, detail=refused.detail) from None
    _refuse_id_token(claims, audiences)
    return str(claims["sub"])


def check_pattern(pattern: str) -> None:
    """Raise ValueError for a pattern that can't be meant: one that is empty, or fits everybody."""
    if not pattern or not pattern.isprintable():
        raise ValueError("a subject pattern is printable text")
    if all(segment == "*" for segment in _segments(pattern)[::2]):
        raise ValueError(
            "a subject pattern of nothing but * would fit everybody; name what is the same for all"
        )
    if any(segment.count("*") > 1 for segment in _segments(pattern)):
        raise ValueError("a subject pattern has at most one * between two of its colons or slashes")


def matches_subject(pattern: str, subject: str) -> bool:
    """Whether a workload's subject fits, such as `system:serviceaccount:ci:*`.

    `*` stands for one character or more of one segment, between two of ":" and "/"; as the whole last
    segment, for all that follows.
    """
    wanted, has = _segments(pattern), _segments(subject)
    if wanted[-1] == "*" and len(wanted) > 1 and len(has) > len(wanted):
        has = [*has[: len(wanted) - 1], "".join(has[len(wanted) - 1 :])]
    return len(wanted) == len(has) and all(map(_fits, wanted, has))


def _check_type(typ: object, required: str | None) -> None:
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    if required is not None and named != required.lower().removeprefix("application/"):
        raise InvalidRequest(f"the subject token's typ is not {required}", detail=f"typ {typ!r:.80}")
    if required is None and (not isinstance(named, str | None) or named not in _TYPES):
        raise InvalidRequest("the subject token is another kind of JWT", detail=f"typ {typ!r:.80}")


def _refuse_id_token(claims: Mapping[str, Any], audiences: Collection[str]) -> None:
    mark = next((mark for mark in ID_TOKEN_MARKS if mark in claims), None)
    use = next((use for use in (claims.get("token_use"), claims.get("typ")) if isinstance(use, str)), "")
    if mark is None and use.lower() not in _NO_ACCESS and client_of(claims) not in audiences:
        return
    raise InvalidRequest(
        "the subject token is not an access token",
        detail=f"it has {mark}" if mark else "it says so itself, or its audience is its own client",
    )


def _segments(text: str) -> list[str]:
    """Segments and the separators between them, by turns."""
    return _SEPARATOR.split(text)


def _fits(wanted: str, has: str) -> bool:
    before, star, after = wanted.partition("*")
    if not star:
        return wanted == has
    return len(has) > len(before) + len(after) and has.startswith(before) and has.endswith(after)
