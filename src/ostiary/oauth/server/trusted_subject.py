"""Access tokens of other issuers: whom they speak of, and whom a pattern means. RFC 8693 section 2.1."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims, client_of
from ostiary.oauth.resource_server.access_token import require_access_token
from ostiary.oauth.server.errors import InvalidRequest

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
    try:
        check_claims(claims, issuers={issuer}, audiences=audiences, now=now)
        require_access_token(claims, typ, required_typ=required_typ)
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", "the subject token")
        raise InvalidRequest(sentence, detail=refused.detail) from None
    if client_of(claims) in audiences:
        raise InvalidRequest(
            "the subject token is not an access token", detail="its audience is its own client"
        )
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


def _segments(text: str) -> list[str]:
    """Segments and the separators between them, by turns."""
    return _SEPARATOR.split(text)


def _fits(wanted: str, has: str) -> bool:
    before, star, after = wanted.partition("*")
    if not star:
        return wanted == has
    return len(has) > len(before) + len(after) and has.startswith(before) and has.endswith(after)
