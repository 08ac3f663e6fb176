"""One question to a server and its answer, as they travel: server/discover, else initialize."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib import metadata
from typing import TYPE_CHECKING, Any

import httpx2

from ostiary.diagnosis.connect import DeadEnd
from ostiary.diagnosis.evidence import Unreachable
from ostiary.diagnosis.server_answer import UNKNOWN_METHOD, ServerAnswer, read_message
from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, MODERN, VERSION_KEY
from ostiary.mcp.events import EventReader
from ostiary.transport.road import AnswerUnusable, RoadClient, is_event_stream, unreached
from ostiary.transport.trust import certificate_error, distrust, tls_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.credentials.adapters.secrets_sent import RememberingAuth
    from ostiary.oauth.canonical_url import CanonicalUrl

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
        return legacy if _says_more(legacy, modern) else modern

    async def ask_for_tools(self, url: CanonicalUrl) -> ServerAnswer:
        """The answer to `tools/list`, of a modern server. Raises DeadEnd."""
        return await self._post(url, _LIST, {"mcp-protocol-version": MODERN, "mcp-method": "tools/list"})

    async def opens_a_stream(self, url: CanonicalUrl) -> bool:
        """Whether a GET is answered as MCP 2024-11-05 has it: events, of which the first is `endpoint`."""
        begun = b""
        try:
            async with (
                asyncio.timeout(LONGEST),
                self._http.stream("GET", str(url), headers={"accept": "text/event-stream"}) as response,
            ):
                if response.status_code != HTTPStatus.OK or not is_event_stream(response):
                    return False
                async for chunk in response.aiter_bytes():
                    begun += chunk
                    if b"\n" in begun or len(begun) > MOST_BYTES:
                        break
        except (httpx2.HTTPError, TimeoutError):
            return False
        return begun.startswith((b"event: endpoint", b"event:endpoint"))

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
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = await (_answer_in if is_event_stream(response) else _beginning)(response)
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
    reader, size = EventReader(MOST_BYTES), 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MOST_BYTES:
            break
        for data in reader.feed(chunk):
            message = read_message(data)
            if message is not None and "method" not in message:
                return data
    return b""


def spoken(answer: ServerAnswer) -> str:
    """Which MCP the answer is in: `MCP 2026-07-28 (modern)`."""
    version = answer.version
    return f"MCP {MODERN} (modern)" if version is None else f"MCP {version} (legacy)"


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
