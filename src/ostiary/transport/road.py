"""An HTTP client for one MCP server, on the one road: whom to trust, by which proxy; plain answers that end.

What an `httpx2.AsyncClient` reads from the environment by itself it does not: it would take this machine's
own servers, and the tokens for them, to a proxy.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import httpx2

from ostiary.transport.content_coding import compression, refusal
from ostiary.transport.proxies import Proxies, Proxy, proxies_of
from ostiary.transport.reach import PUBLIC, Reach
from ostiary.transport.trust import tls_failure

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl


_QUOTED = ": bytearray("
"""So begin, in errors of h11, the bytes that a server sent in place of HTTP; they may be our secret."""
MOST_BYTES = 16 * 1024 * 1024
"""The longest answer, and the longest event of a stream, as at the gateway."""


class AnswerUnusable(httpx2.DecodingError):
    """The server's answer is not read: Compressed, TooLong."""


class Compressed(AnswerUnusable):
    """The server compressed its answer, which was asked for plain."""


class TooLong(AnswerUnusable):
    """The server's answer goes on and on."""


class RoadClient(httpx2.AsyncClient):
    """For requests to `url`'s server. options: as of httpx2's own client, and what they say counts."""

    def __init__(
        self, url: CanonicalUrl, *, reach: Reach = PUBLIC, proxies: Proxies | None = None, **options: Any
    ) -> None:
        """proxies: by default, as the environment says. Raises ProxyUnusable, TrustUnusable."""
        rule = proxies_of("environment", os.environ) if proxies is None else proxies
        self.by_proxy = rule.to(url)
        settings: dict[str, Any] = {
            "verify": reach.trust.context if url.scheme == "https" else False,
            "proxy": None if self.by_proxy is None else _as_httpx2_has_it(self.by_proxy),
            "trust_env": False,
        }
        super().__init__(**{**settings, **options})
        self.headers["accept-encoding"] = "identity"
        self.event_hooks["response"][:0] = [_require_plain, _bound]


async def _require_plain(response: httpx2.Response) -> None:
    """Raise Compressed; an error that is compressed says enough by its head, and its body is left out."""
    coding = compression(response.headers.get("content-encoding", ""))
    if coding is None:
        return
    if response.is_success:
        raise Compressed(refusal(coding), request=response.request)
    del response.headers["content-encoding"]
    response.stream = _Unread(cast("httpx2.AsyncByteStream", response.stream))


async def _bound(response: httpx2.Response) -> None:
    """Have the answer end at MOST_BYTES. A stream has no end, and whoever reads it bounds its events.

    That of an error is none: its body is read as a whole, whatever it says it is.
    """
    if not (response.is_success and is_event_stream(response)):
        response.stream = _Bounded(cast("httpx2.AsyncByteStream", response.stream), response.request)


def is_event_stream(response: httpx2.Response) -> bool:
    """Whether events come, rather than one document."""
    return str(response.headers.get("content-type", "")).lower().startswith("text/event-stream")


class _Bounded(httpx2.AsyncByteStream):
    """A body, as long as it may be."""

    def __init__(self, body: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._body = body
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for piece in self._body:
            left -= len(piece)
            if left < 0:
                raise TooLong(f"its answer is longer than {MOST_BYTES} bytes", request=self._request)
            yield piece

    async def aclose(self) -> None:
        """Leave the server."""
        await self._body.aclose()


class _Unread(httpx2.AsyncByteStream):
    """The body of an answer that is not read."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in tuple[bytes, ...]():
            yield piece

    async def aclose(self) -> None:
        """Leave the server."""
        await self._body.aclose()


def unreached(error: httpx2.TransportError, proxy: Proxy | None) -> str:
    """Why there was no answer, in words."""
    if (failure := tls_failure(error)) is not None:
        return failure if proxy is None else f"by {proxy.named}: {failure}"
    said = str(error).partition(_QUOTED)[0].rstrip(".") or type(error).__name__
    if proxy is None:
        return said
    if isinstance(error, httpx2.ProxyError):
        return f"{proxy.named} does not connect to it ({said})"
    return f"{said}, by {proxy.named}"


def unreached_with_advice(error: httpx2.TransportError, proxy: Proxy | None) -> str:
    """The same, and what to look at where the sentence does not say it."""
    said = unreached(error, proxy)
    return said if proxy is not None or tls_failure(error) else f"{said}; is the server running?"


def _as_httpx2_has_it(proxy: Proxy) -> httpx2.Proxy:
    return httpx2.Proxy(proxy.url, auth=None if proxy.user is None else (proxy.user, proxy.password or ""))
