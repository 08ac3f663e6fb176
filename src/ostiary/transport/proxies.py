"""What goes by a proxy: one rule for everything that leaves, as curl reads the environment.

    http_proxy                 for http URLs; in lower case alone, since HTTP_PROXY may be a request's header
    https_proxy, HTTPS_PROXY   for https URLs
    all_proxy, ALL_PROXY       for those that have none of these
    no_proxy, NO_PROXY         hosts, domains, addresses, networks that are reached straight; * for all

The lower-case name comes first, and an empty value is none. This machine, and what is on its own link (cloud
platforms tell secrets there), are never reached by a proxy, whatever the environment says. Proxies speak
plain HTTP to us; to an https URL they are a tunnel, and read nothing.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.operator_error import OperatorError
from ostiary.transport.addresses import is_at_home

CURLS_PORT = 1080
"""Of a proxy that is named without one."""
PLATFORMS_OWN = frozenset({"metadata.google.internal"})
"""Names of link-local addresses."""
_VARIABLES = {"https": ("https_proxy", "HTTPS_PROXY"), "http": ("http_proxy",)}
_FOR_ALL = ("all_proxy", "ALL_PROXY")
_FOR_NONE = ("no_proxy", "NO_PROXY")

ProxySetting = CanonicalUrl | Literal["environment", "none"]
"""A proxy, or where it is said which."""


class ProxyUnusable(OperatorError):
    """A proxy is named that cannot be used. The message says where, and what to do, without its password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and who named it. `str()` gives host and port."""

    host: str
    port: int
    said_by: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def named(self) -> str:
        """It, and who named it, in words."""
        return f"the proxy {self} that {self.said_by} names"

    @property
    def url(self) -> str:
        """Its address, for an HTTP library; without the user."""
        return f"http://{self}"

    @property
    def url_with_user(self) -> str:
        """The same, as some libraries want to be told who we are."""
        if self.user is None:
            return self.url
        return f"http://{quote(self.user, safe='')}:{quote(self.password or '', safe='')}@{self}"

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization (RFC 7617)."""
        if self.user is None:
            return None
        return "Basic " + b64encode(f"{self.user}:{self.password or ''}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which URLs go by which proxy. named: scheme → the proxy's URL, and who said so."""

    named: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    exceptions: tuple[str, ...] = ()

    def to(self, url: CanonicalUrl) -> Proxy | None:
        """The proxy by which requests go there; None for straight. Raises ProxyUnusable."""
        named = self.named.get(url.scheme)
        if named is None or _is_at_home(url) or any(_covers(one, url) for one in self.exceptions):
            return None
        return _read(*named)

    def unusable(self) -> list[str]:
        """What is wrong with those that are named, in words, before anything goes by one."""
        found = []
        for text, said_by in dict.fromkeys(self.named.values()):
            try:
                _read(text, said_by)
            except ProxyUnusable as error:
                found.append(str(error))
        return found


NONE = Proxies()
"""Everything goes straight."""


def proxies_of(setting: ProxySetting, environ: Mapping[str, str]) -> Proxies:
    """The rule. A proxy that is configured is for all URLs; no_proxy counts for it, too."""
    exceptions = _list(_first(_FOR_NONE, environ)[0])
    if setting == "none":
        return NONE
    if isinstance(setting, CanonicalUrl):
        return Proxies(dict.fromkeys(_VARIABLES, (str(setting), "proxy")), exceptions)
    named = {}
    for scheme, variables in _VARIABLES.items():
        value, variable = _first((*variables, *_FOR_ALL), environ)
        if value:
            named[scheme] = (value, variable)
    return Proxies(named, exceptions)


def _first(variables: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, str]:
    for variable in variables:
        if value := environ.get(variable, "").strip():
            return value, variable
    return "", ""


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").lower().split())


def _is_at_home(url: CanonicalUrl) -> bool:
    if url.is_loopback or url.host.endswith(".localhost") or url.host in PLATFORMS_OWN:
        return True
    address = _address(url.host)
    return address is not None and is_at_home(address)


def _covers(exception: str, url: CanonicalUrl) -> bool:
    """Whether an entry of no_proxy is about this URL: a host and all below it, an address, a network, or all.

    A port after it, which curl does not know, makes it about that port alone.
    """
    if exception == "*":
        return True
    if (address := _address(url.host)) is not None:
        return _is_within(address, exception) or exception == f"{url.host}:{url.port}"
    name, colon, port = exception.partition(":")
    if colon and port != str(url.port):
        return False
    name, host = name.strip("."), url.host.rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _is_within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _read(text: str, said_by: str) -> Proxy:
    whole = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(whole)
        port = parts.port
        place = canonical_url(f"http://{parts.netloc.rpartition('@')[2]}")
    except (UrlRefused, ValueError):
        raise ProxyUnusable(
            f"{said_by} names a proxy that is no URL: write http://HOST:PORT, or "
            "http://USER:PASSWORD@HOST:PORT with /, #, ? and @ of a password percent-encoded"
        ) from None
    if parts.scheme.lower() != "http":
        raise ProxyUnusable(
            f"{said_by} names a proxy of the kind {parts.scheme}, which is not spoken here: name one that "
            "takes http, or say proxy: none in ostiary.yaml"
        )
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(place.host, CURLS_PORT if port is None else port, said_by, user, password)
