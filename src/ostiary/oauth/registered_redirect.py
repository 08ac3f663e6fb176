"""Where a client may have its codes sent. RFC 8252 sections 7 and 8.3, OAuth 2.1 section 2.3.

Redirect URIs are compared letter for letter. Only the port of a loopback address is free, for a program that
takes whichever it finds; `localhost` and `127.0.0.1` stay two addresses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import parse_qsl

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.client import ApplicationType
from ostiary.oauth.server_errors import InvalidRedirectUri, InvalidRequest

LONGEST = 2000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_LOOPBACK = re.compile(r"http://(?P<host>localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?P<rest>[/?].*)?")
_CUSTOM = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<authority>//[^/?]*)?(?P<rest>[\x21-\x7e]*)")
_NOT_IN_A_URI = re.compile(r"[\"<>\\^`{|}]")
_ANSWERS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_DANGEROUS = frozenset(
    {
        "about", "blob", "chrome", "data", "file", "filesystem", "ftp", "intent", "jar", "javascript", "ldap",
        "mailto", "mhtml", "ms-msdt", "resource", "search-ms", "sftp", "shell", "sms", "ssh", "tel", "telnet",
        "urn", "vbscript", "view-source", "ws", "wss",
    }
)  # fmt: skip
"""Schemes that a browser or a system acts on by itself; no program that waits for a code owns them."""


class RedirectKind(StrEnum):
    """Who gets what is sent there."""

    HTTPS = "https"
    """The owner of a host name."""
    LOOPBACK = "loopback"
    """Whatever program listens on the person's machine."""
    CUSTOM = "custom"
    """Whatever program on that machine claimed the scheme."""


def check_registrable(uri: str, application_type: ApplicationType) -> None:
    """Raise InvalidRedirectUri unless a client of this type may have it.

    https is for all. http on this machine and schemes of an application's own are for native applications
    (OpenID Connect Registration section 2); any such scheme but the dangerous ones, since the clients of MCP
    have some without the dot that RFC 8252 section 7.1 wants (`cursor:`, `vscode:`).
    """
    _refuse_everywhere(uri)
    scheme = uri.partition(":")[0].lower()
    if scheme in {"http", "https"}:
        url = _web_url(uri)
        if scheme == "https":
            return
        if url.host not in LOOPBACK_HOSTS:
            raise InvalidRedirectUri(
                "a redirect URI with http is on localhost, 127.0.0.1 or [::1]; elsewhere it is https"
            )
    else:
        _check_custom(uri)
    if application_type is not ApplicationType.NATIVE:
        raise InvalidRedirectUri(
            "a web application has redirect URIs with https alone: this one is for application_type native"
        )


def inferred_type(redirect_uris: Sequence[str]) -> ApplicationType:
    """What a client is that does not say it: the default is web, which many on a person's machine forget."""
    kinds = {redirect_kind(uri) for uri in redirect_uris}
    return ApplicationType.WEB if kinds <= {RedirectKind.HTTPS} else ApplicationType.NATIVE


def match_redirect(requested: str | None, registered: Sequence[str]) -> str:
    """The URI to send the answer to. Raises InvalidRequest, which is never told by a redirect."""
    if requested is None:
        if len(registered) != 1:
            raise InvalidRequest("the parameter redirect_uri is missing, and this client has not just one")
        return registered[0]
    if requested in registered or any(_differs_by_port(requested, uri) for uri in registered):
        return requested
    raise InvalidRequest("the redirect_uri is none that this client has registered")


def redirect_kind(uri: str) -> RedirectKind:
    """By what it says: https on a loopback address is as anonymous as http is there."""
    try:
        url = canonical_url(uri)
    except UrlRefused:
        return RedirectKind.CUSTOM
    return RedirectKind.LOOPBACK if url.is_loopback else RedirectKind.HTTPS


def _refuse_everywhere(uri: str) -> None:
    if len(uri) > LONGEST:
        raise InvalidRedirectUri(f"a redirect URI has at most {LONGEST} characters")
    if not uri.isascii() or not uri.isprintable() or " " in uri or _NOT_IN_A_URI.search(uri):
        raise InvalidRedirectUri("a redirect URI has a character that no URI has")
    if "#" in uri:
        raise InvalidRedirectUri("a redirect URI has no fragment")
    if "*" in uri:
        raise InvalidRedirectUri("a redirect URI has no wildcard: it is compared letter for letter")
    taken = {name for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)} & _ANSWERS
    if taken:
        raise InvalidRedirectUri(f"a redirect URI has no {min(taken)} of its own: the answer brings it")


def _web_url(uri: str) -> CanonicalUrl:
    try:
        return canonical_url(uri)
    except UrlRefused as refused:
        raise InvalidRedirectUri(f"a redirect URI is refused: {refused}") from None


def _check_custom(uri: str) -> None:
    custom = _CUSTOM.fullmatch(uri)
    if custom is None:
        raise InvalidRedirectUri("a redirect URI is absolute: it begins with its scheme")
    if custom["scheme"].lower() in _DANGEROUS:
        raise InvalidRedirectUri(f"a redirect URI has not the scheme {custom['scheme'].lower()}")
    if "@" in (custom["authority"] or ""):
        raise InvalidRedirectUri("a redirect URI has no user name or password in it")
    if not custom["authority"] and not custom["rest"]:
        raise InvalidRedirectUri("a redirect URI has more than its scheme")


def _differs_by_port(requested: str, registered: str) -> bool:
    """RFC 8252 section 7.3: on a loopback address over http, any port, and all else letter for letter."""
    asked, known = _LOOPBACK.fullmatch(requested), _LOOPBACK.fullmatch(registered)
    if asked is None or known is None or asked.groups() != known.groups():
        return False
    try:
        canonical_url(requested)
    except UrlRefused:
        return False
    return True
