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
from ostiary.oauth.server.client import ApplicationType
from ostiary.oauth.server.errors import InvalidRedirectUri, InvalidRequest

LONGEST = 2000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_LOOPBACK = re.compile(r"http://(?P<host>localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?P<rest>[/?].*)?")
_CUSTOM = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<authority>//[^/?]*)?(?P<rest>[\x21-\x7e]*)")
_NOT_IN_A_URI = re.compile(r"[\"<>\\^`{|}]")
_ANSWERS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_RUN_BY_BROWSERS = frozenset(
    {
        "about", "blob", "chrome", "data", "file", "filesystem", "ftp", "intent", "jar", "javascript", "ldap",
        "mailto", "mhtml", "ms-msdt", "resource", "search-ms", "sftp", "shell", "sms", "ssh", "tel", "telnet",
        "urn", "vbscript", "view-source", "ws", "wss",
    }
)  # fmt: skip
"""Schemes that a browser or a system acts on by itself; no program that waits for a code owns them."""
_START_PROGRAMS = frozenset(
    {
        "admin", "afp", "alfred", "android-app", "app-prefs", "applescript", "appstream", "apt", "brave",
        "btt", "callto", "chrome-extension", "cifs", "computer", "content", "dav", "davs", "devtools", "dict",
        "dns-sd", "edge", "extension", "facetime", "facetime-audio", "feed", "firefox", "fish", "flatpak",
        "flatpak+https", "ghelp", "git", "git+ssh", "github-mac", "github-windows", "googlechrome",
        "googlechromes", "gopher", "hammerspoon", "hcp", "help", "imap", "imessage", "info", "irc", "ircs",
        "iterm2", "itms", "itms-apps", "itms-appss", "itms-beta", "itms-books", "itms-services", "itmss",
        "its", "jnlp", "jnlps", "kmtrigger", "ldaps", "macappstore", "macappstores", "magnet", "man",
        "market", "mk", "mms", "moz-extension", "msteams", "network", "news", "nfs", "nntp", "odopen",
        "onedrive", "onenote", "onenote-cmd", "opera", "outlook", "outlookmail", "prefs", "rdp", "read",
        "res", "rlogin", "rsync", "rtmp", "rtsp", "search", "shortcuts", "sip", "sips", "skype", "smb",
        "smsto", "snap", "snews", "sourcetree", "steam", "svn", "svn+ssh", "tftp", "tn3270", "trash",
        "vivaldi", "vnc", "webcal", "webcals", "webdav", "webdavs", "windowsdefender", "workflow", "wyciwyg",
        "x-github-client", "x-help-action", "x-help-script", "x-man-page", "xmpp", "zoommtg", "zoomus",
    }
)  # fmt: skip
"""Schemes of programs that are there already, and act on what a link says: install, search, connect, call."""
_START_PROGRAMS_ALL = ("ms-", "microsoft-", "windows-", "com-apple-", "com.apple.", "x-apple")
"""The same, by how they begin: Windows has some hundred (`ms-appinstaller`, `ms-settings`), Apple its own."""
_EDITORS = frozenset(
    {
        "antigravity", "code-oss", "cursor", "cursor-nightly", "kiro", "positron", "trae", "void", "vscode",
        "vscode-exploration", "vscode-insiders", "vscodium", "vscodium-insiders", "windsurf",
        "windsurf-next",
    }
)  # fmt: skip
"""VS Code and what was made of it: `vscode://publisher.extension/…` is an extension's, and what stands in
its place else (`file`, `settings`, `vscode-remote`, `extension/…`) the editor's, which opens and installs."""
_EXTENSION = re.compile(r"//[A-Za-z0-9-]+\.[A-Za-z0-9._-]+")


class RedirectKind(StrEnum):
    """Who gets what is sent there."""

    HTTPS = "https"
    """The owner of a host name."""
    LOOPBACK = "loopback"
    """Whatever program listens on the person's machine."""
    CUSTOM = "custom"
    """Whatever program on that machine claimed the scheme."""


def check_registrable(uri: str, application_type: ApplicationType, *, is_vouched_for: bool = False) -> None:
    """Raise InvalidRedirectUri unless a client of this type may have it.

    https is for all. http on this machine and schemes of an application's own are for native applications
    (OpenID Connect Registration section 2); any such scheme but the dangerous ones, since the clients of MCP
    have some without the dot that RFC 8252 section 7.1 wants (`cursor:`, `vscode:`).

    is_vouched_for: the operator says so, and not a stranger, who could have a person's browser start with the
    answer whatever program takes orders by links.
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
        custom = _check_custom(uri)
        if not is_vouched_for:
            _check_starts_nothing(custom)
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


def _check_custom(uri: str) -> re.Match[str]:
    custom = _CUSTOM.fullmatch(uri)
    if custom is None:
        raise InvalidRedirectUri("a redirect URI is absolute: it begins with its scheme")
    if custom["scheme"].lower() in _RUN_BY_BROWSERS:
        raise _refused_scheme(custom)
    if "@" in (custom["authority"] or ""):
        raise InvalidRedirectUri("a redirect URI has no user name or password in it")
    if not custom["authority"] and not custom["rest"]:
        raise InvalidRedirectUri("a redirect URI has more than its scheme")
    return custom


def _check_starts_nothing(custom: re.Match[str]) -> None:
    """It leads to a program that waits for a code, and leaves no room for an order to one that does not.

    What takes orders has them in a query (`ms-appinstaller:?source=`), or after the colon (`search:query=`).
    """
    scheme = custom["scheme"].lower()
    if scheme in _START_PROGRAMS or scheme.startswith(_START_PROGRAMS_ALL):
        raise _refused_scheme(custom)
    if "?" in custom["rest"]:
        raise InvalidRedirectUri(
            f"a redirect URI with {scheme}: has no query: it could tell a program what to do"
        )
    if not custom["authority"] and not custom["rest"].startswith("/"):
        raise InvalidRedirectUri(
            f"a redirect URI with {scheme}: has a path after it, as com.example.app:/callback"
        )
    if scheme in _EDITORS and not _EXTENSION.fullmatch(custom["authority"] or ""):
        raise InvalidRedirectUri(
            f"a redirect URI with {scheme}: leads to an extension: {scheme}://publisher.name/"
        )


def _refused_scheme(custom: re.Match[str]) -> InvalidRedirectUri:
    return InvalidRedirectUri(f"a redirect URI has not the scheme {custom['scheme'].lower()}")


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
