"""A small document: how it is asked for, what is answered, and why it could not be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from ostiary.oauth.canonical_url import CanonicalUrl

NOT_THERE = "its host leads to a private address; if it should, set private_network: true"


class FetchError(Exception):
    """A document could not be had. The message names the URL and the reason.

    status: what was answered, where that was the reason.
    """

    def __init__(self, url: CanonicalUrl, reason: str, *, status: int | None = None) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
        self.status = status


class NotReached(FetchError):
    """There was no connection, so nothing was sent."""


class NotAllowed(NotReached):
    """It leads where this edge may not go: another time would not help."""


class NotTrusted(NotReached):
    """The server's certificate is none that we trust. fix: what to do about it."""

    def __init__(self, url: CanonicalUrl, reason: str, fix: str) -> None:
        super().__init__(url, reason)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """An answer, whole. Header names are lower case; one that came several times is joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for."""

    method: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    client_certificate: tuple[Path, Path] | None = None
    """PEM files of a certificate and its key, for mutual TLS."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """What to speak TLS with, in place of what the edge trusts."""
