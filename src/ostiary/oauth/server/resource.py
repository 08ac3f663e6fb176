"""What a token is for. RFC 8707 section 2; the canonical server URI of MCP authorization.

Resources are compared as canonical URLs and never as text: `/mcp-evil` is not under `/mcp`, and neither a
default port nor a capital letter makes another resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.server.errors import InvalidTarget

LONGEST = 2000
"""Characters of a resource that a client names: below a prefix it chooses them, and they are stored."""
_BELOW = "/*"
_MOST_NAMED = 10
"""So many choices fit into an error."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """One resource, or a path with all that is below it; `str()` gives it back as it is written."""

    url: CanonicalUrl
    is_prefix: bool = False

    @classmethod
    def parse(cls, text: str) -> ResourcePattern:
        """Read `https://host/mcp`, or `https://host/team/*`. Raises ValueError with a sentence."""
        is_prefix = text.endswith(_BELOW)
        try:
            url = canonical_url(text.removesuffix(_BELOW))
        except UrlRefused as refused:
            raise ValueError(f"a resource is an http or https URL, and of this one {refused}") from None
        if "*" in str(url):
            raise ValueError(
                "a resource has no wildcard, but for a whole path at its end: https://host/path/*"
            )
        if is_prefix and (url.query is not None or url.path.endswith("/")):
            raise ValueError(
                "a path that stands for all below it ends in one slash and a star, without a query"
            )
        return cls(url, is_prefix)

    def covers(self, url: CanonicalUrl) -> bool:
        """Whether the resource is this one, or for a prefix: the path itself, or below it.

        A prefix ends at a segment, and covers no resource with a query (RFC 8707 has them avoided).
        """
        if not self.is_prefix:
            return url == self.url
        below = url.path == self.url.path or url.path.startswith(f"{self.url.path}/")
        return url.origin == self.url.origin and below and url.query is None

    def __str__(self) -> str:
        return f"{self.url}{_BELOW}" if self.is_prefix else str(self.url)


def longest(patterns: Mapping[ResourcePattern, T], url: CanonicalUrl) -> T | None:
    """What belongs to the pattern that fits best: the longest path, and a resource itself before its path."""
    covering = [pattern for pattern in patterns if pattern.covers(url)]
    if not covering:
        return None
    return patterns[max(covering, key=lambda pattern: (len(pattern.url.path), not pattern.is_prefix))]


def choose_resource(requested: Sequence[str], patterns: Sequence[ResourcePattern]) -> CanonicalUrl:
    """The one resource that a new authorization is for.

    requested: the `resource` parameters as sent; patterns: what this server, or this client, has. Nothing
    requested means the only one. Raises InvalidTarget when several, none of many, a malformed or an unknown
    one is named.
    """
    if not requested:
        return _the_only_one(patterns)
    url = _one(requested)
    if not any(pattern.covers(url) for pattern in patterns):
        raise InvalidTarget(f"the resource {url} is unknown here, or not for this client")
    return url


def same_resource(requested: Sequence[str], authorized: CanonicalUrl) -> None:
    """Raise InvalidTarget when a token or refresh request names another resource than was authorized."""
    if requested and _one(requested) != authorized:
        raise InvalidTarget("the resource is not the one that was authorized")


def _the_only_one(patterns: Sequence[ResourcePattern]) -> CanonicalUrl:
    if len(patterns) == 1 and not patterns[0].is_prefix:
        return patterns[0].url
    if not patterns:
        raise InvalidTarget("there is no resource here that this client may ask for")
    choices = [str(pattern) for pattern in patterns[:_MOST_NAMED]]
    more = ", ..." if len(patterns) > _MOST_NAMED else ""
    raise InvalidTarget(f"name one resource: {', '.join(choices)}{more}")


def _one(requested: Sequence[str]) -> CanonicalUrl:
    if len(requested) != 1:
        raise InvalidTarget("name exactly one resource")
    if len(requested[0]) > LONGEST:
        raise InvalidTarget(f"the resource has more than {LONGEST} characters")
    try:
        return canonical_url(requested[0])
    except UrlRefused as refused:
        raise InvalidTarget(f"the resource is refused: {refused}") from None
