"""Where a flow ends or leaves us: an error, a last word, or a step over to another site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ostiary.authserver.pages.destination import Destination, destination
from ostiary.authserver.pages.page import Client, Page


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """What is wrong, and what to do. Never a stack trace, a token, or a redirect."""

    template: ClassVar[str] = "error.html"
    title: str
    wrong: str
    """What happened, in a sentence."""
    remedy: str
    """What the person can do now, in a sentence."""
    reference: str
    """By which the operator finds it in the log."""
    code: int = 400

    @property
    def status(self) -> int:
        """The error's own."""
        return self.code


@dataclass(frozen=True, slots=True)
class WayBack(Page):
    """A program that nobody vouches for asked for what cannot be. Its person goes back to it, or not.

    Sent on by itself, our address would be a way to anybody's (RFC 9700 section 4.11.2).
    """

    template: ClassVar[str] = "way_back.html"
    client: Client
    wrong: str
    url: str
    """Where the program is told what was wrong."""

    @property
    def status(self) -> int:
        """A bad request."""
        return 400

    def __post_init__(self) -> None:
        destination(self.url)

    @property
    def leads_to(self) -> Destination:
        """What the URL says of itself."""
        return destination(self.url)


@dataclass(frozen=True, slots=True)
class Done(Page):
    """Nothing is left to do here."""

    template: ClassVar[str] = "done.html"
    title: str = "All done"
    sentence: str = "You can close this window."


@dataclass(frozen=True, slots=True)
class Onward(Page):
    """Sends the browser on by itself, after a form.

    Browsers hold `form-action` against every redirect that follows a post, and what a provider redirects
    to next nobody can list. A page that refreshes itself begins anew.
    """

    template: ClassVar[str] = "onward.html"
    url: str
    to: str
    """Where that is, as people know it: "GitHub", or the client's name."""

    def __post_init__(self) -> None:
        destination(self.url)

    @property
    def leads_to(self) -> Destination:
        """What the URL says of itself."""
        return destination(self.url)
