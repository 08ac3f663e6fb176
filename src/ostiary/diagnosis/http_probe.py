"""One question to a server and its answer, as they travel.

`server/discover`, else `initialize`; and that over HTTP+SSE, where nobody takes it at the URL.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from importlib import metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx2

from ostiary.diagnosis.connect import DeadEnd
from ostiary.diagnosis.evidence import Unreachable
from ostiary.diagnosis.server_answer import NO_SUCH_PLACE, UNKNOWN_METHOD, ServerAnswer, read_message
from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, MODERN, VERSION_KEY
from ostiary.mcp.events import KEEP_ALIVE, EventReader
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.transport.road import AnswerUnusable, RoadClient, is_event_stream, unreached
from ostiary.transport.trust import certificate_error, distrust, tls_failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from ostiary.credentials.adapters.secrets_sent import RememberingAuth

LEGACY = "2025-11-25"
MOST_BYTES = 256 * 1024
PATIENCE = 30.0
"""Seconds that a server may stay silent."""
LONGEST = 60.0
"""Seconds that it may take for an answer, whatever it says meanwhile."""
_SESSION = "mcp-session-id"


class Wire:
    """Asks one server, and whoever answers in its place."""

    def __init__(
        self, http: RoadClient, clock: Callable[[], float], auth: RememberingAuth | None = None
    ) -> None:
        self._http = http
        self._clock = clock
        self._auth = auth

    @property
    def _by(self) -> str:
        return "" if self._http.by_proxy is None else f", by {self._http.by_proxy.named}"

    async def ask(self, url: CanonicalUrl) -> ServerAnswer:
        """The answer that says most: of the modern question, else of the legacy one. Raises DeadEnd."""
        modern = await self._post(
            url, _DISCOVER, {"mcp-protocol-version": MODERN, "mcp-method": "server/discover"}
        )
        if modern.works or not _may_be_legacy(modern):
            return modern
        legacy = await self._post(url, _INITIALIZE, {})
        if _SESSION in legacy.headers:
            await self._end_session(url, legacy.headers[_SESSION])
        best = legacy if _says_more(legacy, modern) else modern
        by_sse = await self._ask_by_sse(url, best) if best.status in NO_SUCH_PLACE else None
        return best if by_sse is None else by_sse

    async def ask_for_tools(self, url: CanonicalUrl) -> ServerAnswer:
        """The answer to `tools/list`, of a modern server. Raises DeadEnd."""
        return await self._post(url, _LIST, {"mcp-protocol-version": MODERN, "mcp-method": "tools/list"})

    async def _ask_by_sse(self, url: CanonicalUrl, refused: ServerAnswer) -> ServerAnswer | None:
        """The answer to the legacy question over HTTP+SSE; None where that is not spoken.

        refused: what who posts there is told. Raises DeadEnd for a server that begins, and says no more.
        """
        has_begun = False
        try:
            async with (
                asyncio.timeout(LONGEST),
                self._http.stream("GET", str(url), headers={"accept": "text/event-stream"}) as response,
            ):
                if response.status_code != HTTPStatus.OK or not is_event_stream(response):
                    answer = await self._read(response)
                    is_for_this = refused.status == HTTPStatus.METHOD_NOT_ALLOWED and answer.is_refusal
                    return answer if is_for_this else None
                async for data in _events(response, (b"endpoint",)):
                    if not has_begun:
                        if (place := _endpoint(url, data)) is None:
                            return None
                        has_begun = True
                        sent = await self._post(place, _INITIALIZE, {})
                        if sent.status >= HTTPStatus.BAD_REQUEST:
                            return sent if sent.is_refusal else None
                    elif _is_answer(data):
                        return replace(self._answer(response, data), by_sse=True)
        except (httpx2.HTTPError, TimeoutError):
            if not has_begun:
                return None
        if not has_begun:
            return None
        raise DeadEnd(Unreachable.SILENCE, "it opens the stream of HTTP+SSE, and no answer comes on it")

    async def _post(
        self, url: CanonicalUrl, message: dict[str, Any], headers: Mapping[str, str]
    ) -> ServerAnswer:
        accepted = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(LONGEST),
                self._http.stream(
                    "POST", str(url), json=message, headers={**accepted, **headers}
                ) as response,
            ):
                return await self._read(response)
        except TimeoutError:
            said = f"no answer came within {LONGEST:g} seconds, and the connection is kept alive"
            raise DeadEnd(Unreachable.SILENCE, said + self._by) from None
        except httpx2.TimeoutException:
            said = f"nothing came within {PATIENCE:.0f} seconds"
            raise DeadEnd(Unreachable.SILENCE, said + self._by) from None
        except httpx2.ProxyError as error:
            raise DeadEnd(Unreachable.PROXY, unreached(error, self._http.by_proxy)) from None
        except httpx2.TransportError as error:
            untrusted = certificate_error(error)
            if untrusted is not None:
                end = Unreachable.CERTIFICATE
                raise DeadEnd(end, untrusted.verify_message, distrust(untrusted)) from None
            end = Unreachable.SILENCE if tls_failure(error) is None else Unreachable.TLS
            raise DeadEnd(end, unreached(error, self._http.by_proxy)) from None
        except AnswerUnusable as error:
            raise DeadEnd(Unreachable.SILENCE, str(error)) from None

    async def _read(self, response: httpx2.Response) -> ServerAnswer:
        return self._answer(
            response, await (_answer_in if is_event_stream(response) else _beginning)(response)
        )

    def _answer(self, response: httpx2.Response, body: bytes) -> ServerAnswer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        text, sent = body.decode(errors="replace"), self._auth.sent if self._auth else ()
        return ServerAnswer(response.status_code, headers, text, self._clock(), sent)

    async def _end_session(self, url: CanonicalUrl, session: str) -> None:
        headers = {_SESSION: session, "mcp-protocol-version": LEGACY}
        try:
            await self._http.delete(str(url), headers=headers)
        except httpx2.HTTPError:
            return  # it will end by itself


async def _beginning(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body)


async def _answer_in(response: httpx2.Response) -> bytes:
    """The message of a stream that answers us; others may come before it, and the stream may stay open."""
    async for data in _events(response):
        if _is_answer(data):
            return data
    return b""


async def _events(response: httpx2.Response, types: Collection[bytes] = ()) -> AsyncIterator[bytes]:
    """What comes in a stream, as far as it is read. types: as of EventReader."""
    reader, size = EventReader(MOST_BYTES, types), 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MOST_BYTES:
            return
        for data in reader.feed(chunk):
            if data != KEEP_ALIVE:
                yield data


def _is_answer(data: bytes) -> bool:
    message = read_message(data)
    return message is not None and "method" not in message


def _endpoint(url: CanonicalUrl, data: bytes) -> CanonicalUrl | None:
    """Where the first event of HTTP+SSE has messages sent; None where it does not say so, or elsewhere."""
    try:
        place = canonical_url(urljoin(str(url), data.decode("ascii")))
    except ValueError:
        return None
    return place if place.origin == url.origin else None


def spoken(answer: ServerAnswer) -> str:
    """Which MCP the answer is in: `MCP 2026-07-28 (modern)`."""
    version = answer.version
    over = " over HTTP+SSE" if answer.by_sse else ""
    return f"MCP {MODERN} (modern)" if version is None else f"MCP {version} (legacy){over}"


def _may_be_legacy(answer: ServerAnswer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and not (
        answer.is_refusal or 300 <= answer.status < 400 or answer.status == HTTPStatus.TOO_MANY_REQUESTS
    )


def _says_more(legacy: ServerAnswer, modern: ServerAnswer) -> bool:
    """Whether an answer to the legacy question tells more of the server than that to the modern one."""
    if MODERN in legacy.versions:
        return False
    if legacy.works or legacy.is_refusal or legacy.versions:
        return True
    told_nothing = {UNKNOWN_METHOD} if modern.error_code == UNKNOWN_METHOD else {UNKNOWN_METHOD, None}
    return legacy.error_code not in told_nothing


_US = {"name": "ostiary", "version": metadata.version("ostiary")}
_MODERN = {"_meta": {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}, CLIENT_INFO_KEY: _US}}
_DISCOVER = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": _MODERN}
_LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": _MODERN}
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _US},
}
