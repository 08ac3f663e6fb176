"""Where an answer comes back to a program on somebody's machine. RFC 8252 sections 7.3 and 8.3."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.oauth.canonical_url import DEFAULT_PORTS, UrlRefused, canonical_url

_BIND = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"}


class RedirectUriRefused(ValueError):
    """Not a place on this machine that a code may be sent to."""


@dataclass(frozen=True, slots=True)
class LoopbackRedirect:
    """An http URI on the loopback interface; port None stands for any that is free."""

    host: str = "127.0.0.1"
    port: int | None = None
    path: str = "/callback"

    @property
    def bind_host(self) -> str:
        """The address to listen on: `localhost` may mean anything, so it is taken for 127.0.0.1."""
        return _BIND[self.host]

    def at(self, port: int) -> str:
        """The URI itself, with the port that was free."""
        return f"http://{self.host}:{port}{self.path}"


def loopback_redirect(text: str) -> LoopbackRedirect:
    """Read `http://127.0.0.1/callback`, with a port or without. Raises RedirectUriRefused."""
    try:
        url = canonical_url(text)
    except UrlRefused as refused:
        raise RedirectUriRefused(f"{text} is no redirect URI: {refused}") from None
    if url.scheme != "http" or url.host not in _BIND or url.query is not None:
        raise RedirectUriRefused(
            f"{text} is not on this machine: a redirect URI is http://127.0.0.1/PATH, with a port or without"
        )
    named = f":{url.port}" in text
    port = url.port if named or url.port != DEFAULT_PORTS["http"] else None
    return LoopbackRedirect(url.host, port, url.path or "/")
