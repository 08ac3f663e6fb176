"""Fetch a JSON document: bounded in size and time, no redirects, and no farther than the operator allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec
from yarl import URL

from ostiary.transport.addresses import may_reach
from ostiary.transport.trust import SYSTEM_TRUST, TrustSet, TrustUnusable

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.oauth.canonical_url import CanonicalUrl

MAX_BYTES = 1024 * 1024
"""The longest document. Key sets and metadata have a few kilobytes."""
TIMEOUT = 10.0
"""Seconds for a whole fetch."""


class FetchError(Exception):
    """A document could not be had. The message names the URL and the reason."""

    def __init__(self, url: CanonicalUrl, reason: str) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reach:
    """What the operator allows for one edge. Loopback URLs, being configured, may always be plain http."""

    trust: TrustSet = SYSTEM_TRUST
    private_network: bool = False
    """Whether names may lead to private addresses."""
    insecure_allow_http: bool = False
    """Whether documents may come in the clear from another machine."""


PUBLIC = Reach()
"""https to public addresses, with the system's authorities."""


class _NotPublic(OSError):
    """The name leads to an address that is not public."""


def _socket_for_public_addresses(address: aiohttp.AddrInfoType) -> socket.socket:
    """Refuse at the last moment, on the very address that is connected to: a resolver may change its mind."""
    family, kind, protocol, _, where = address
    reached = ipaddress.ip_address(str(where[0]).partition("%")[0])
    if not may_reach(reached, loopback=False, private_network=False):
        raise _NotPublic("its host leads to a private address; if it should, set private_network: true")
    return socket.socket(family, kind, protocol)


class Fetcher:
    """Fetches documents. Use as an async context manager, or close it."""

    def __init__(self, *, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def get_json(self, url: CanonicalUrl, *, reach: Reach = PUBLIC) -> Any:
        """The decoded document. Raises FetchError."""
        if url.scheme == "http" and not (url.is_loopback or reach.insecure_allow_http):
            raise FetchError(url, "it is plain http to another machine; use https")
        try:
            async with asyncio.timeout(self._timeout):
                return msgspec.json.decode(await self._get(url, reach))
        except TimeoutError:
            raise FetchError(url, f"no whole answer within {self._timeout:g} seconds") from None
        except msgspec.DecodeError:
            raise FetchError(url, "the answer is not JSON") from None
        except (aiohttp.ClientError, TrustUnusable) as error:
            raise FetchError(url, _in_words(error)) from None

    async def _get(self, url: CanonicalUrl, reach: Reach) -> bytes:
        session = self._session(anywhere=url.is_loopback or reach.private_network)
        tls = reach.trust.context if url.scheme == "https" else True
        async with session.get(URL(str(url), encoded=True), ssl=tls, allow_redirects=False) as response:
            if response.status != 200:
                raise FetchError(url, f"it answered {response.status}, not 200")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchError(url, "the answer is compressed although we asked for it plain")
            return await self._bounded(url, response.content)

    async def _bounded(self, url: CanonicalUrl, content: aiohttp.StreamReader) -> bytes:
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchError(url, f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)

    def _session(self, *, anywhere: bool) -> aiohttp.ClientSession:
        """Made inside the loop, when first needed.

        Connections are not kept: one opened with leave to go anywhere must not serve a fetch without it,
        and documents are fetched minutes apart.
        """
        if anywhere not in self._sessions:
            guard = None if anywhere else _socket_for_public_addresses
            self._sessions[anywhere] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, socket_factory=guard),
                headers={"accept": "application/json", "accept-encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._sessions[anywhere]


def _in_words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name is not known"
        case aiohttp.ClientConnectorCertificateError():
            return f"its TLS certificate is not trusted ({error.certificate_error})"
        case aiohttp.ClientConnectorError(os_error=_NotPublic() as refused):
            return str(refused)
        case aiohttp.ClientConnectorError():
            return f"no connection ({_cause(error.os_error)})"
        case TrustUnusable():
            return str(error)
    return f"the exchange broke off ({type(error).__name__})"


def _cause(error: OSError) -> str:
    """The system's own words; event loops write theirs, which differ."""
    return os.strerror(error.errno) if error.errno else str(error)
