"""Small documents, fetched: bounded in size and time, no redirects, no farther than the operator allowed."""

from __future__ import annotations

import asyncio
import codecs
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from ostiary.transport.addresses import may_reach
from ostiary.transport.content_coding import NotUnpacked, unpacked
from ostiary.transport.proxies import Proxies, Proxy, ProxyUnusable, proxies_of
from ostiary.transport.reach import PUBLIC, Reach
from ostiary.transport.trust import Distrust, TrustUnusable, certificate_error, distrust, tls_failure

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ostiary.oauth.canonical_url import CanonicalUrl

MAX_BYTES = 1024 * 1024
"""The longest document. Key sets and metadata have a few kilobytes."""
READ_AT_ONCE = 32 * 1024
"""How much of an answer waits to be read, so that no turn of the event loop reads more (Linux doubles it)."""
BESIDES = 64 * 1024
"""What an answer may have besides its document: heads, also those before it (1xx), frames, trailers."""
TIMEOUT = 10.0
"""Seconds for a whole fetch."""
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is none, or is nested without end."""


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
class _Question:
    method: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    client_certificate: tuple[Path, Path] | None = None


class _NotPublic(OSError):
    """The name leads to an address that is not public."""


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
        raise NotAllowed(url, _NOT_THERE)


_NOT_THERE = "its host leads to a private address; if it should, set private_network: true"


def _sockets(url: CanonicalUrl, reach: Reach) -> aiohttp.connector.SocketFactoryType:
    """Refuse at the last moment, on the very address that is connected to: a resolver may change its mind."""

    def guarded(address: aiohttp.AddrInfoType) -> socket.socket:
        reached = ipaddress.ip_address(str(address[4][0]).partition("%")[0])
        if not may_reach(reached, loopback=url.is_loopback, private_network=reach.private_network):
            raise _NotPublic(_NOT_THERE)
        return _any_socket(address)

    return guarded


def _any_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """To a proxy, too: the operator named it, and it may be anywhere."""
    family, kind, protocol, _, _ = address
    bounded = socket.socket(family, kind, protocol)
    bounded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_AT_ONCE)
    return bounded


class _Counted(ResponseHandler):
    """A connection that ends when more came over it than any document needs, whatever it was."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        super().__init__(loop)
        self._left = most

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            super().data_received(data)
        elif self.transport is not None:
            self.transport.abort()


class Fetcher:
    """Fetches documents, each over a connection of its own.

    They are fetched minutes apart, and a connection opened with leave to go anywhere must not serve a
    fetch without it. So nothing is kept, and one fetcher serves any number of event loops.
    """

    def __init__(
        self, *, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES, proxies: Proxies | None = None
    ) -> None:
        """proxies: what goes by one. Default: as the environment says."""
        self._timeout = timeout
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
        self, url: CanonicalUrl, *, headers: Mapping[str, str] = {}, reach: Reach = PUBLIC
    ) -> FetchedDocument:
        """Whatever is answered, a redirect too. Raises FetchError."""
        return await self._ask(url, _Question("GET", headers=headers), reach)

    async def post(
        self, url: CanonicalUrl, body: bytes, *, headers: Mapping[str, str] = {}, reach: Reach = PUBLIC
    ) -> FetchedDocument:
        """Whatever is answered to a body, whose type `headers` tells. Raises FetchError."""
        return await self._ask(url, _Question("POST", body, headers), reach)

    async def post_form(
        self,
        url: CanonicalUrl,
        form: Mapping[str, str] | Sequence[tuple[str, str]],
        *,
        headers: Mapping[str, str] = {},
        reach: Reach = PUBLIC,
        client_certificate: tuple[Path, Path] | None = None,
    ) -> FetchedDocument:
        """Whatever is answered to a form. Raises FetchError.

        client_certificate: PEM files of a certificate and its key, for mutual TLS.
        """
        typed = {**headers, "content-type": "application/x-www-form-urlencoded"}
        return await self._ask(
            url, _Question("POST", urlencode(form).encode("ascii"), typed, client_certificate), reach
        )

    async def _ask(self, url: CanonicalUrl, question: _Question, reach: Reach) -> FetchedDocument:
        check_reach(url, reach)
        proxy = self._proxy(url, reach)
        by = "" if proxy is None else f", by {proxy.named}"
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(url, question, reach, proxy)
        except TimeoutError:
            raise FetchError(url, f"no whole answer within {self._timeout:g} seconds{by}") from None
        except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
            raise NotReached(url, _refused_by(proxy, error)) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise _not_trusted(url, error, by) from None
        except (aiohttp.ClientConnectorError, TrustUnusable) as error:
            if proxy is not None and isinstance(error, aiohttp.ClientConnectorDNSError):
                raise NotReached(url, _refused_by(proxy, error)) from None
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _NotPublic):
                raise NotAllowed(url, str(error.os_error)) from None
            raise NotReached(url, _in_words(error) + by) from None
        except aiohttp.ClientError as error:
            raise FetchError(url, _in_words(error) + by) from None

    def _proxy(self, url: CanonicalUrl, reach: Reach) -> Proxy | None:
        if not reach.by_proxy:
            return None
        try:
            return self.proxies.to(url)
        except ProxyUnusable as error:
            raise NotReached(url, str(error)) from None

    async def _exchange(
        self, url: CanonicalUrl, question: _Question, reach: Reach, proxy: Proxy | None
    ) -> FetchedDocument:
        async with (
            self._session(_sockets(url, reach) if proxy is None else _any_socket) as session,
            session.request(
                question.method,
                URL(str(url), encoded=True),
                data=question.body,
                headers=question.headers if proxy is None else {**question.headers, **_proof(proxy, url)},
                ssl=_tls(reach, question.client_certificate) if url.scheme == "https" else True,
                allow_redirects=False,
                **({} if proxy is None else _by(proxy)),
            ) as response,
        ):
            headers = {
                name.lower(): ", ".join(response.headers.getall(name)) for name in set(response.headers)
            }
            body = await self._bounded(url, response.content)
            try:
                body = unpacked(body, headers.get("content-encoding", ""), max_bytes=self._max_bytes)
            except NotUnpacked as error:
                raise FetchError(url, str(error)) from None
            return FetchedDocument(response.status, headers, body)

    def _session(self, sockets: aiohttp.connector.SocketFactoryType) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(force_close=True, socket_factory=sockets)
        # Chunks of half framing and half content are as small as an honest server makes them.
        most = 2 * self._max_bytes + BESIDES
        counted = partial(_Counted, asyncio.get_running_loop(), most)
        connector._factory = counted  # type: ignore[assignment]  # aiohttp offers no other way, nor a base type
        return aiohttp.ClientSession(
            connector=connector,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def _bounded(self, url: CanonicalUrl, content: aiohttp.StreamReader) -> bytes:
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError(url, f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)


def _tls(reach: Reach, client_certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    if client_certificate is None:
        return reach.trust.context
    return reach.trust.presenting(*client_certificate)


def _not_trusted(url: CanonicalUrl, error: aiohttp.ClientConnectorCertificateError, by: str) -> NotTrusted:
    found = certificate_error(error.certificate_error)
    reason = Distrust.OTHER if found is None else distrust(found)
    said = f"{reason}" if reason is not Distrust.OTHER else f"{reason} ({found})"
    return NotTrusted(url, said + by, reason.fix)


def _by(proxy: Proxy) -> dict[str, Any]:
    proof = {} if proxy.authorization is None else {"proxy-authorization": proxy.authorization}
    return {"proxy": URL(proxy.url), "proxy_headers": proof}


def _proof(proxy: Proxy, url: CanonicalUrl) -> dict[str, str]:
    """Who we are to a proxy that reads the request itself; in a tunnel nobody but the server does."""
    if url.scheme == "https" or proxy.authorization is None:
        return {}
    return {"proxy-authorization": proxy.authorization}


def _refused_by(proxy: Proxy | None, error: aiohttp.ClientError) -> str:
    by = proxy.named if proxy is not None else "the proxy"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{by} does not connect to it: it answered {error.status}"
    return f"{by} is not reached: {_in_words(error)}"


def _in_words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorSSLError():
            return str(tls_failure(error.os_error))
        case aiohttp.ClientConnectorDNSError():
            return "its host name is not known"
        case aiohttp.ClientConnectorError():
            return f"no connection ({_cause(error.os_error) or 'it was closed'})"
        case TrustUnusable():
            return str(error)
    return f"the exchange broke off ({type(error).__name__})"


def _cause(error: OSError) -> str:
    """The system's own words; event loops write theirs, which differ."""
    return os.strerror(error.errno) if error.errno else str(error)
