"""SPIFFE IDs, as text, and which owner one names. SPIFFE-ID 2.

An ID is taken as it stands or not at all: what would have to be folded, decoded or trimmed first could be one
name here and another elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

SCHEME = "spiffe://"
MOST_BYTES = 2048
MOST_DOMAIN_BYTES = 255
MOST_TEMPLATE_BYTES = 1024
"""So that with the longest domain and owner, too, it makes an ID."""

OWNER_PART = r"[a-z0-9][a-z0-9.-]*"
"""A namespace, or a name, of an owner."""
OWNER = rf"{OWNER_PART}/{OWNER_PART}"
"""The workload that upstream tokens belong to: `namespace/name`."""
MOST_OWNER_BYTES = 255

_DOMAIN = re.compile(r"[a-z0-9._-]+")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_OWNER = re.compile(OWNER)
_DOMAIN_HERE = SCHEME + "{trust_domain}/"
_PLACES = ("{namespace}", "{name}")


class SpiffeIdRefused(ValueError):
    """Text that is no SPIFFE ID in its one form."""


class TemplateRefused(ValueError):
    """A template that is none, or what it cannot be filled with."""


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """One workload of one trust domain; the domain itself, without a path. Cannot be made but in its form.

    trust_domain: `example.org`; path: empty, or `/` and segments. Raises SpiffeIdRefused.
    """

    trust_domain: str
    path: str = ""

    def __post_init__(self) -> None:
        if len(str(self)) > MOST_BYTES:
            raise SpiffeIdRefused(f"a SPIFFE ID has {MOST_BYTES} bytes at most")
        require_trust_domain(self.trust_domain)
        if not self.path.startswith("/") and self.path:
            raise SpiffeIdRefused("the path of a SPIFFE ID begins with a slash")
        for segment in self.path.split("/")[1:]:
            if _SEGMENT.fullmatch(segment) is None or segment in {".", ".."}:
                raise SpiffeIdRefused(
                    "the path of a SPIFFE ID has segments of letters, digits and . _ -, none of them empty, "
                    "`.` or `..`, and no slash at its end"
                )

    @classmethod
    def parse(cls, raw: str) -> Self:
        """The ID that the text is, letter for letter. Raises SpiffeIdRefused."""
        if not raw.startswith(SCHEME):
            raise SpiffeIdRefused("a SPIFFE ID begins with spiffe://, in lower case")
        domain, slash, path = raw.removeprefix(SCHEME).partition("/")
        return cls(domain, slash + path)

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}{self.path}"


def require_trust_domain(name: str) -> str:
    """The name of a trust domain as it is. Raises SpiffeIdRefused."""
    if _DOMAIN.fullmatch(name) is None or len(name) > MOST_DOMAIN_BYTES:
        raise SpiffeIdRefused(
            "a trust domain is a name of lower-case letters, digits and . _ -, "
            f"{MOST_DOMAIN_BYTES} at most, without scheme or port, such as example.org"
        )
    return name


@dataclass(frozen=True, slots=True)
class SpiffeTemplate:
    """The shape of the SPIFFE IDs of workloads, and where in it their owner stands.

    text: `spiffe://{trust_domain}/`, and segments of which one is `{namespace}` and one `{name}`. Raises
    TemplateRefused.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.text.startswith(_DOMAIN_HERE):
            raise TemplateRefused(f"a template of SPIFFE IDs begins with {_DOMAIN_HERE}")
        if len(self.text) > MOST_TEMPLATE_BYTES:
            raise TemplateRefused(f"a template of SPIFFE IDs has {MOST_TEMPLATE_BYTES} characters at most")
        if any(self._segments.count(place) != 1 for place in _PLACES):
            raise TemplateRefused(
                "a template of SPIFFE IDs has {namespace} once and {name} once, each as a whole segment"
            )
        try:
            SpiffeId("domain", "".join(f"/{_filled(segment)}" for segment in self._segments))
        except SpiffeIdRefused as error:
            raise TemplateRefused(f"this template makes no SPIFFE IDs: {error}") from None

    @property
    def _segments(self) -> list[str]:
        return self.text.removeprefix(_DOMAIN_HERE).split("/")

    def render(self, trust_domain: str, namespace: str, name: str) -> SpiffeId:
        """The ID of an owner there. Raises SpiffeIdRefused for no domain, TemplateRefused for no owner."""
        if not is_owner(f"{namespace}/{name}"):
            raise TemplateRefused(
                "namespace and name are lower-case letters, digits, dots and hyphens, "
                f"{MOST_OWNER_BYTES} together at most"
            )
        path = "".join(f"/{_filled(segment, namespace, name)}" for segment in self._segments)
        return SpiffeId(trust_domain, path)

    def owner(self, spiffe_id: SpiffeId) -> str | None:
        """The owner, `namespace/name`, that an ID of this shape names; None for one of another shape."""
        shape, segments = self._segments, spiffe_id.path.split("/")[1:]
        if len(shape) != len(segments):
            return None
        owner = "/".join(segments[shape.index(place)] for place in _PLACES)
        others = (one in _PLACES or one == found for one, found in zip(shape, segments, strict=True))
        return owner if all(others) and is_owner(owner) else None

    def __str__(self) -> str:
        return self.text


def is_owner(text: str) -> bool:
    """Whether it is `namespace/name`."""
    return len(text) <= MOST_OWNER_BYTES and _OWNER.fullmatch(text) is not None


def _filled(segment: str, namespace: str = "namespace", name: str = "name") -> str:
    return {"{namespace}": namespace, "{name}": name}.get(segment, segment)


DEFAULT_TEMPLATE = SpiffeTemplate("spiffe://{trust_domain}/ns/{namespace}/mcpserver/{name}")
