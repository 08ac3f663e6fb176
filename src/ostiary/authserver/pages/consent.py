"""The consent page: who asks, for what, and where the answer goes. OAuth 2.1 section 7.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ostiary.authserver.pages.destination import Destination, Website
from ostiary.authserver.pages.page import Client, Form, Page


@dataclass(frozen=True, slots=True)
class Scope:
    """One thing that the client may do, in its own word and in words for people."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class AccountAsked:
    """An account that the person will be asked to connect, and what at that provider comes with it."""

    idp: str
    """The name that people know it by: "GitHub"."""
    scopes: Sequence[str]
    use: Literal["identity", "required", "optional"]


@dataclass(frozen=True, slots=True)
class Consent(Page):
    """Posts `decision`: `allow` or `deny`."""

    template: ClassVar[str] = "consent.html"
    client: Client
    answer_to: Destination
    resource: str
    scopes: Sequence[Scope]
    accounts: Sequence[AccountAsked]
    form: Form
    signed_in_as: str | None = None
    redirect_uri: str = ""
    """`answer_to`, whole: for those who can read one."""

    @property
    def is_answered_elsewhere(self) -> bool:
        """Whether the answer goes to another site than the one that the client is known by."""
        by_document = self.client.known_by == "document"
        return by_document and isinstance(self.answer_to, Website) and self.answer_to.host != self.client.host
