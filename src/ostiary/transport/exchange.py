"""One question over a connection of its own, by aiohttp, within bounds.

Apart from `fetch`, and imported when the first document is fetched: what only may fetch, such as a check of a
configuration or a gateway that knows no issuer, does not pay for an HTTP client.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from ostiary.inline_coroutines import hopping
from ostiary.transport.addresses import may_reach
from ostiary.transport.content_coding import unpacked
from ostiary.transport.fetched_document import (
    NOT_THERE,
    FetchedDocument,
    FetchError,
    NotAllowed,
    NotReached,
    NotTrusted,
    Question,
)
from ostiary.transport.trust import Distrust, TrustUnusable, certificate_error, distrust, tls_failure
from ostiary.transport.unpacking import NotUnpacked

if TYPE_CHECKING:
    import ssl

    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.proxies import Proxy
    from ostiary.transport.reach import Reach

READ_AT_ONCE = 32 * 1024
"""How much of an answer waits to be read, so that no turn of the event loop reads more (Linux doubles it)."""
BESIDES = 64 * 1024
"""What an answer may have besides its document: heads, also those before it (1xx), frames, trailers."""


class _NotPublic(OSError):
    """The name leads to an address that is not public."""


class Exchange:
    """Where a question goes, and within which bounds.

    timeout: seconds for the whole; connect_timeout: of them for the connection; proxy: by which, if any.
    """

    def __init__(
        self,
        url: CanonicalUrl,
        reach: Reach,
        proxy: Proxy | None,
        *,
        timeout: float,
        connect_timeout: float | None = None,
        max_bytes: int,
    ) -> None:
        self._url = url
        self._reach = reach
        self._proxy = proxy
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._max_bytes = max_bytes

    @hopping
    async def answer(self, question: Question) -> FetchedDocument:
        """Whatever is answered. Raises FetchError."""
        url, proxy = self._url, self._proxy
        by = "" if proxy is None else f", by {proxy.named}"
        try:
            async with asyncio.timeout(self._timeout):
                return await self._asked(question)
        except aiohttp.ConnectionTimeoutError:
            raise NotReached(url, f"no connection within {self._connect_timeout:g} seconds{by}") from None
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

    async def _asked(self, question: Question) -> FetchedDocument:
        url, reach, proxy = self._url, self._reach, self._proxy
        async with (
            self._session(_sockets(url, reach) if proxy is None else _any_socket) as session,
            session.request(
                question.method,
                URL(str(url), encoded=True),
                data=question.body,
                headers=question.headers if proxy is None else {**question.headers, **_proof(proxy, url)},
                ssl=_tls(reach, question) if url.scheme == "https" else True,
                allow_redirects=False,
                **({} if proxy is None else _by(proxy)),
            ) as response,
        ):
            headers = {
                name.lower(): ", ".join(response.headers.getall(name)) for name in set(response.headers)
            }
            body = await self._bounded(response.content)
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
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            headers={"accept": "application/json", "accept-encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def _bounded(self, content: aiohttp.StreamReader) -> bytes:
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError(self._url, f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)


def _sockets(url: CanonicalUrl, reach: Reach) -> aiohttp.connector.SocketFactoryType:
    """Refuse at the last moment, on the very address that is connected to: a resolver may change its mind."""

    def guarded(address: aiohttp.AddrInfoType) -> socket.socket:
        reached = ipaddress.ip_address(str(address[4][0]).partition("%")[0])
        if not may_reach(reached, loopback=url.is_loopback, private_network=reach.private_network):
            raise _NotPublic(NOT_THERE)
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


def _tls(reach: Reach, question: Question) -> ssl.SSLContext:
    if question.tls is not None:
        return question.tls
    if question.client_certificate is None:
        return reach.trust.context
    return reach.trust.presenting(*question.client_certificate)


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
