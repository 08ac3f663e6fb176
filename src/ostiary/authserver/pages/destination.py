"""Where the answer goes, so that a person can tell a thief. MCP authorization; RFC 8252 section 7."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ostiary.oauth.canonical_url import UrlRefused, canonical_url

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_RUNS_IN_THE_BROWSER = frozenset(
    {
        "about",
        "blob",
        "chrome",
        "data",
        "file",
        "filesystem",
        "javascript",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    }
)


class DestinationRefused(ValueError):
    """No answer goes there: it would run in the browser, or browsers would not agree on where it is."""


@dataclass(frozen=True, slots=True)
class Website:
    """An https page, which whoever holds the host answers for."""

    kind: ClassVar[str] = "website"
    origin: str

    @property
    def host(self) -> str:
        """With its port, unless that is the usual one."""
        return self.origin.partition("://")[2]

    @property
    def form_action(self) -> str:
        """The source that the `form-action` directive needs."""
        return self.origin


@dataclass(frozen=True, slots=True)
class LocalProgram:
    """Whatever listens on a port of the person's own machine: anybody's program."""

    kind: ClassVar[str] = "local"
    host: str
    port: int

    @property
    def form_action(self) -> str:
        """The source that the `form-action` directive needs; it has no form for IPv6 addresses."""
        return "http:" if self.host.startswith("[") else f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class App:
    """Whatever app took this scheme on the person's device: anybody's app."""

    kind: ClassVar[str] = "app"
    scheme: str

    @property
    def form_action(self) -> str:
        """The source that the `form-action` directive needs."""
        return f"{self.scheme}:"


Destination = Website | LocalProgram | App


def destination(uri: str) -> Destination:
    """Read a redirect URI, or any URL we send a browser to. Raises DestinationRefused."""
    scheme = _SCHEME.match(uri)
    if scheme is None:
        raise DestinationRefused("it is not an absolute URI")
    if scheme[1].lower() in _RUNS_IN_THE_BROWSER:
        raise DestinationRefused(f"a browser would run {scheme[1].lower()}: itself")
    if scheme[1].lower() not in {"http", "https"}:
        return App(scheme[1].lower())
    try:
        url = canonical_url(uri)
    except UrlRefused as refused:
        raise DestinationRefused(str(refused)) from None
    return LocalProgram(url.host, url.port) if url.is_loopback else Website(url.origin)
