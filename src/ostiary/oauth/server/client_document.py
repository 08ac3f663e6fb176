"""A client that describes itself at its own URL. draft-ietf-oauth-client-id-metadata-document.

The URL is the client's id, so whoever owns the host speaks for the client. Fetching it is the caller's,
through the guard for addresses of strangers; here is what may be such an id, what the document must say, and
how long it may be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.client.client_authentication import AuthMethod
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.client_registration import client_from_metadata
from ostiary.oauth.server.errors import InvalidClientMetadata

OFFERED_METHODS: frozenset[AuthMethod] = frozenset({"none", "private_key_jwt"})
"""A document is public: no method that rests on a shared secret."""
LONGEST_ID = 2000

_DIRECTIVE = re.compile(r"\s*([A-Za-z0-9-]+)\s*(?:=\s*(?:\"([^\"]*)\"|([^\s,]*)))?\s*(?:,|$)")
_NOT_KEPT = frozenset({"no-store", "no-cache", "private"})


def document_url(client_id: str) -> CanonicalUrl | None:
    """Where the client's document is; None for an id that is no such URL.

    https with a path, and in canonical form already: two spellings of one URL would be two clients.
    """
    if len(client_id) > LONGEST_ID:
        return None
    try:
        url = canonical_url(client_id)
    except UrlRefused:
        return None
    return url if url.scheme == "https" and url.path and str(url) == client_id else None


def client_from_document(document: Any, *, client_id: str) -> Client:
    """The client of a document that was found at its id. Raises InvalidRedirectUri, InvalidClientMetadata."""
    if not isinstance(document, Mapping):
        raise InvalidClientMetadata("the client's document is not a JSON object")
    if document.get("client_id") != client_id:
        raise InvalidClientMetadata("the client's document has another client_id than its own URL")
    if not {"client_secret", "client_secret_expires_at"}.isdisjoint(document):
        raise InvalidClientMetadata("the client's document has a client_secret, which everybody can read")
    client = client_from_metadata(
        document, client_id=client_id, kind=ClientKind.DOCUMENT, offered=OFFERED_METHODS
    )
    if client.name is None:
        raise InvalidClientMetadata("the client's document has no client_name")
    return client


def cache_lifetime(
    headers: Mapping[str, str],
    *,
    now: float,
    minimum: float = 60,
    maximum: float = 86400,
    default: float = 300,
) -> float:
    """How many seconds a document may be kept (RFC 9111 section 4.2.1), between our own bounds.

    headers: of its answer, names in any case; now: seconds since the epoch; default: where they are silent.
    What should not be kept at all is kept for the minimum, or a stranger could have us fetch without end.
    """
    said = {name.lower(): value for name, value in headers.items()}
    fresh = _freshness(said, now)
    return default if fresh is None else min(max(fresh, minimum), maximum)


def _freshness(headers: Mapping[str, str], now: float) -> float | None:
    directives = _directives(headers.get("cache-control", ""))
    if not _NOT_KEPT.isdisjoint(directives):
        return 0
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return (_seconds(directives[name]) or 0) - (_seconds(headers.get("age", "")) or 0)
    if "expires" in headers:
        expires = _moment(headers["expires"])
        return 0 if expires is None else expires - (_moment(headers.get("date", "")) or now)
    return None


def _directives(value: str) -> dict[str, str]:
    """The first of each counts (RFC 9111 section 4.2.1)."""
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(value[:1000]):
        found.setdefault(name.lower(), quoted or plain)
    return found


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
