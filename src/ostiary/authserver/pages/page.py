"""What all pages have in common: a template, a status, and forms that cannot be forged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal


class Page:
    """A frozen dataclass with just the values that its template shows."""

    __slots__ = ()
    template: ClassVar[str]

    @property
    def status(self) -> int:
        """The HTTP status that it is answered with, unless told otherwise."""
        return 200


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form posts to, and what goes along unseen: `csrf`, and the fields of `hidden`."""

    action: str
    """A path on this server; another site's would be given the CSRF token."""
    csrf: str = field(repr=False)
    hidden: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.action.startswith("/") or self.action[1:2] in {"/", "\\"}:
            raise ValueError(f"a form posts to a path of this server, not to {self.action!r}")


@dataclass(frozen=True, slots=True)
class Client:
    """The program that asks, and how much of what it says of itself is known to be true."""

    name: str
    known_by: Literal["operator", "document", "registration"]
    """Pre-registered; a Client ID Metadata Document, so the host is proven; its own word alone (RFC 7591)."""
    host: str = ""
    """Of the `client_id` URL, for a Client ID Metadata Document."""

    @property
    def is_preregistered(self) -> bool:
        """Whether the operator of this server answers for the name."""
        return self.known_by == "operator"
