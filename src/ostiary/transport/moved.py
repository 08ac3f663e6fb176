"""An answer that sends the caller elsewhere, in words. RFC 9110 section 15.4.

No credential of ours follows a redirect, so whoever runs us is told what to write instead. Mostly it is the
same address with a slash more or less, said in plain http by a server that does not know of the proxy before
it that ends TLS; http is then the one thing that nobody should write.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urljoin

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url

REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


def moved_to(asked: CanonicalUrl, location: str) -> CanonicalUrl | None:
    """Where a `Location` leads from there, without its query; None for no place that we would call."""
    if not location.strip():
        return None
    try:
        there = canonical_url(urljoin(str(asked), location).partition("#")[0].partition("?")[0])
    except ValueError:  # urljoin's own, and UrlRefused
        return None
    if there.host == asked.host and (asked.scheme, there.scheme) == ("https", "http"):
        there = replace(there, scheme="https", port=asked.port)
    return there


def moved(asked: CanonicalUrl, status: int, location: str) -> str:
    """What the answer means, after "it"."""
    there = moved_to(asked, location)
    if there is None:
        return f"sends callers on ({status}), and not to an address that can be called"
    if there == asked:
        return f"sends callers back to the address that they come from ({status})"
    where = f"sends callers on to {there} ({status}), and no credential follows"
    if there.origin == asked.origin:
        return f"{where}: write that address"
    return f"{where} to another server: write that address if it is the right one"
