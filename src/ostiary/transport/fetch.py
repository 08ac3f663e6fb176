"""Small documents, fetched: bounded in size and time, no redirects, no farther than the operator allowed."""

from __future__ import annotations

import codecs
import ipaddress
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from ostiary.transport.addresses import may_reach
from ostiary.transport.fetched_document import (
    NOT_THERE,
    FetchedDocument,
    FetchError,
    NotAllowed,
    NotReached,
    NotTrusted,
    Question,
)
from ostiary.transport.proxies import Proxies, Proxy, ProxyUnusable, proxies_of
from ostiary.transport.reach import PUBLIC, Reach

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ostiary.oauth.canonical_url import CanonicalUrl

__all__ = [
    "NOT_JSON",
    "FetchError",
    "FetchedDocument",
    "Fetcher",
    "NotAllowed",
    "NotReached",
    "NotTrusted",
    "check_reach",
]

MAX_BYTES = 1024 * 1024
"""The longest document. Key sets and metadata have a few kilobytes."""
TIMEOUT = 10.0
"""Seconds for a whole fetch."""
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is none, or is nested without end."""


def check_reach(url: CanonicalUrl, reach: Reach) -> None:
    """Raise NotAllowed when the URL alone says that this edge does not lead there.

    A name is judged by each address that it leads to, when there is a connection to be made.
    """
    if url.is_loopback and not reach.loopback:
        raise NotAllowed(url, "it names this machine, and who wrote it is on another")
    if url.scheme == "http" and not (url.is_loopback or reach.insecure_allow_http):
        raise NotAllowed(url, "it is plain http to another machine; use https")
    try:
        address = ipaddress.ip_address(url.host.strip("[]"))
    except ValueError:
        return
    if not may_reach(address, loopback=url.is_loopback, private_network=reach.private_network):
        raise NotAllowed(url, NOT_THERE)


class Fetcher:
    """Fetches documents, each over a connection of its own.

    They are fetched minutes apart, and a connection opened with leave to go anywhere must not serve a
    fetch without it. So nothing is kept, and one fetcher serves any number of event loops.
    """

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT,
        connect_timeout: float | None = None,
        max_bytes: int = MAX_BYTES,
        proxies: Proxies | None = None,
    ) -> None:
        """timeout: seconds for the whole; connect_timeout: of them for the connection, TLS included.

        proxies: what goes by one. Default: as the environment says.
        """
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._max_bytes = max_bytes
        self.proxies = proxies_of("environment", os.environ) if proxies is None else proxies

    async def get_json(self, url: CanonicalUrl, *, reach: Reach = PUBLIC) -> Any:
        """The decoded document. Raises FetchError, also when the answer is not 200 or not JSON."""
        document = await self.get(url, reach=reach)
        if document.status != 200:
            raise FetchError(url, f"it answered {document.status}, not 200", status=document.status)
        try:
            return msgspec.json.decode(document.body.removeprefix(codecs.BOM_UTF8))
        except NOT_JSON:
            raise FetchError(url, "the answer is not JSON") from None

    async def get(
        self,
        url: CanonicalUrl,
        *,
        headers: Mapping[str, str] = {},
        reach: Reach = PUBLIC,
        tls: ssl.SSLContext | None = None,
    ) -> FetchedDocument:
        """Whatever is answered, a redirect too. Raises FetchError. tls: as of `post_form`."""
        return await self._ask(url, Question("GET", headers=headers, tls=tls), reach)

    async def post(
        self, url: CanonicalUrl, body: bytes, *, headers: Mapping[str, str] = {}, reach: Reach = PUBLIC
    ) -> FetchedDocument:
        """Whatever is answered to a body, whose type `headers` tells. Raises FetchError."""
        return await self._ask(url, Question("POST", body, headers), reach)

    async def post_form(
        self,
        url: CanonicalUrl,
        form: Mapping[str, str] | Sequence[tuple[str, str]],
        *,
        headers: Mapping[str, str] = {},
        reach: Reach = PUBLIC,
        client_certificate: tuple[Path, Path] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> FetchedDocument:
        """Whatever is answered to a form. Raises FetchError.

        client_certificate: PEM files of a certificate and its key, for mutual TLS; tls: what to speak TLS
        with, in place of what the edge trusts.
        """
        typed = {**headers, "content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode("ascii")
        return await self._ask(url, Question("POST", body, typed, client_certificate, tls), reach)

    async def _ask(self, url: CanonicalUrl, question: Question, reach: Reach) -> FetchedDocument:
        from ostiary.transport.exchange import Exchange  # noqa: PLC0415 - aiohttp takes its time

        check_reach(url, reach)
        exchange = Exchange(
            url,
            reach,
            self._proxy(url, reach),
            timeout=self._timeout,
            connect_timeout=self._connect_timeout,
            max_bytes=self._max_bytes,
        )
        return await exchange.answer(question)

    def _proxy(self, url: CanonicalUrl, reach: Reach) -> Proxy | None:
        if not reach.by_proxy:
            return None
        try:
            return self.proxies.to(url)
        except ProxyUnusable as error:
            raise NotReached(url, str(error)) from None
