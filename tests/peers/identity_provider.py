"""What every real identity provider among the peers offers, so that one test can sign in at each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page


@dataclass(frozen=True)
class Person:
    """Somebody with an account there."""

    login: str
    name: str
    groups: tuple[str, ...] = ()
    email_verified: bool = True

    @property
    def email(self) -> str:
        return f"{self.login}@example.com"


ALICE = Person("alice", "Alice Adler", ("keepers", "visitors"))
BOB = Person("bob", "Bob Biber", ("visitors",), email_verified=False)
PEOPLE = (ALICE, BOB)
PASSWORD = "correct horse battery staple"
"""Of everybody."""


@dataclass(frozen=True)
class IdentityProvider:
    """One that runs, and the client that it knows."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    """Those that bring every claim of a person: sub, name, email, email_verified, groups."""
    pages: Callable[[Page, str], Awaitable[None]]

    async def sign_in(self, page: Page, login: str) -> None:
        """Fill in its pages, from where a redirect to it has landed until it sends the browser away."""
        await self.pages(page, login)
