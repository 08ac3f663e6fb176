"""One canonical URL: read once, or refused.

URL parsers disagree, and attackers live in the difference. Everything that takes a URL from outside
(configuration, requests, metadata) reads it here, once, and uses the value from then on.
RFC 3986 section 6.2; the canonical server URI of MCP authorization; RFC 8707 section 2.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_PORTS = {"http": 80, "https": 443}
SHORT = 200
"""Characters of a URL that is worth remembering: the same few resources come with every request."""

_SHAPE = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]|-]|%[0-9A-Fa-f]{2})*")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_HIDDEN_STRUCTURE = re.compile(r"%(2f|5c|2e|00|0a|0d)", re.IGNORECASE)


class UrlRefused(ValueError):
    """The text is not a URL that everybody reads alike. The message says why, without the URL."""


@dataclass(frozen=True, slots=True)
class CanonicalUrl:
    """An absolute http or https URL in its one canonical form; `str()` gives it back.

    scheme and host are lower case, an IPv6 host has its brackets, the port is always a number,
    a lone "/" as path is dropped, `query` is without its "?" (None when there is none).
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None

    @property
    def authority(self) -> str:
        """Host and port as an HTTP `Host` header has them: a default port is left out."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454): what an audience defaults to."""
        return f"{self.scheme}://{self.authority}"

    @property
    def target(self) -> str:
        """Path and query as a request line has them."""
        return (self.path or "/") + ("" if self.query is None else f"?{self.query}")

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine by its name or address alone, without asking a resolver."""
        if self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback  # Python before 3.13 does not look into it

    def __str__(self) -> str:
        return self.origin + self.path + ("" if self.query is None else f"?{self.query}")


def canonical_url(text: str) -> CanonicalUrl:
    """Read an absolute http(s) URL, or raise UrlRefused.

    Refused: userinfo, fragment, backslash, white space and controls, dot segments, percent-encoded
    slashes or dots, names that are not plain DNS names, numbers in disguise (`0x7f.1`), odd ports.
    """
    return _remembered(text) if len(text) <= SHORT else _read(text)


def _read(text: str) -> CanonicalUrl:
    _refuse_what_parsers_disagree_on(text)
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UrlRefused("it is not an absolute http or https URL with a plain host name")
    scheme = match["scheme"].lower()
    path = _canonical_path(match["path"] or "")
    query = match["query"]
    if query is not None and _QUERY.fullmatch(query) is None:
        raise UrlRefused("its query has a character that must be percent-encoded")
    return CanonicalUrl(scheme, _canonical_host(match["host"]), _port(match["port"], scheme), path, query)


_remembered = lru_cache(maxsize=1024)(_read)


def _refuse_what_parsers_disagree_on(text: str) -> None:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise UrlRefused("it has white space, a control character or a character outside ASCII")
    if "\\" in text:
        raise UrlRefused("it has a backslash")
    if "#" in text:
        raise UrlRefused("it has a fragment")
    authority = text.partition("://")[2].partition("/")[0].partition("?")[0]
    if "@" in authority:
        raise UrlRefused("it has a user name or password in it")


def _canonical_host(host: str) -> str:
    host = host.lower()
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise UrlRefused("its host is not an IPv6 address") from None
    if _ENDS_IN_A_NUMBER.fullmatch(host):  # which browsers read as an IPv4 address, whatever is before it
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise UrlRefused("its host is a number that is not a plain IPv4 address") from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UrlRefused("its host is not a plain DNS name")
    return host


def _port(digits: str | None, scheme: str) -> int:
    if digits is None:
        return DEFAULT_PORTS[scheme]
    port = int(digits)
    if not 1 <= port <= 65535 or str(port) != digits:
        raise UrlRefused("its port is not a number from 1 to 65535")
    return port


def _canonical_path(path: str) -> str:
    if _PATH.fullmatch(path) is None:
        raise UrlRefused("its path has a character that must be percent-encoded")
    if _HIDDEN_STRUCTURE.search(path):
        raise UrlRefused("its path hides a slash, a dot or a control character in percent-encoding")
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise UrlRefused("its path has a dot segment")
    path = _ENCODED.sub(_canonical_encoding, path)
    return "" if path == "/" else path


def _canonical_encoding(encoded: re.Match[str]) -> str:
    """RFC 3986 section 6.2.2: upper case, and none where none is needed."""
    character = chr(int(encoded[1], 16))
    return character if _UNRESERVED.fullmatch(character) else encoded[0].upper()
