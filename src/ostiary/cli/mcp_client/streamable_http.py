"""Messages to one endpoint over streamable HTTP, and what comes back. MCP, transports.

An answer is one JSON document, or comes in a stream of events. A stream that breaks off goes on after the
last event that had an id. What can be no answer is told as a JSON-RPC error with the id of the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from ostiary.cli.mcp_client.messages import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Message,
    NoMessage,
    error_answer,
    is_answer,
    is_request,
    read_message,
)
from ostiary.cli.mcp_client.routing_headers import VERSION
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong
from ostiary.transport.road import MOST_BYTES

SESSION = "mcp-session-id"
LAST_EVENT = "last-event-id"
PAUSE = 1.0
"""Seconds before a stream is asked for again, where the server does not say."""
LONGEST_PAUSE = 30.0
"""Seconds, whatever the server says."""
MOST_TRIES = 2
MOST_REDIRECTS = 20
_JSON, _STREAM = "application/json", "text/event-stream"


class StreamableHttp:
    """One endpoint. Whatever of httpx2 goes wrong before an answer begins is raised."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        url: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """sleep: waits so many seconds."""
        self._http = http
        self._url = url
        self._sleep = sleep
        self.session: str | None = None
        """The session that the server gave with its handshake."""
        self.version: str | None = None
        """What goes on messages that have no version of their own."""

    async def send(self, message: Message, headers: Mapping[str, str] = {}) -> AsyncGenerator[Message]:
        """What the server says to a message: to a request the answer comes last; else nothing."""
        body = json.dumps(message, separators=(",", ":")).encode()
        async with self._exchange("POST", self._headers() | dict(headers), content=body) as response:
            if not is_request(message):
                return
            fault = await _fault(response, message["id"], in_session=self.session is not None)
            if fault is not None:
                yield fault
                return
            if message["method"] == "initialize" and SESSION in response.headers:
                self.session = response.headers[SESSION]
            kind = _content_type(response)
            if kind.startswith(_JSON):
                yield _read(await response.aread(), message["id"], "JSON response")
                return
            if not kind.startswith(_STREAM):
                yield error_answer(message["id"], INVALID_REQUEST, f"Unexpected content type: {kind}")
                return
            stream = _Stream(message["id"])
            async with contextlib.aclosing(stream.messages(response)) as messages:
                async for one in messages:
                    yield one
        if not stream.answered:
            async with contextlib.aclosing(self._rest(stream)) as rest:
                async for one in rest:
                    yield one

    async def end(self) -> None:
        """Tell the server that the session is over."""
        if self.session is not None:
            with contextlib.suppress(Exception):  # it ends there by itself, too
                async with self._exchange("DELETE", self._headers()):
                    pass

    async def _rest(self, stream: _Stream) -> AsyncGenerator[Message]:
        """The rest of an answer whose stream broke off."""
        tries = 0
        while stream.last_event_id and tries < MOST_TRIES:
            await self._sleep(stream.pause)
            try:
                async with self._more(stream) as messages:
                    tries = 0
                    async for one in messages:
                        yield one
            except (httpx2.HTTPError, _NotResumed):
                tries += 1
            if stream.answered:
                return
        said = "SSE stream ended and reconnection attempts were exhausted"
        if not stream.last_event_id:
            said = "SSE stream ended without a response"
        yield error_answer(stream.asked, CONNECTION_CLOSED, said)

    @contextlib.asynccontextmanager
    async def _more(self, stream: _Stream) -> AsyncIterator[AsyncIterator[Message]]:
        """What comes in a stream after what has come. Raises _NotResumed."""
        headers = {**self._headers(), "accept": _STREAM, "cache-control": "no-store"}
        if stream.last_event_id:
            headers[LAST_EVENT] = stream.last_event_id
        async with self._exchange("GET", headers) as response:
            if not response.is_success:
                raise _NotResumed
            async with contextlib.aclosing(stream.messages(response)) as messages:
                yield messages

    def _headers(self) -> dict[str, str]:
        own = {SESSION: self.session, VERSION: self.version}
        plain = {"accept": f"{_JSON}, {_STREAM}", "content-type": _JSON}
        return plain | {name: value for name, value in own.items() if value is not None}

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, headers: Mapping[str, str], **options: Any
    ) -> AsyncIterator[httpx2.Response]:
        """A response, not yet read. Who is sent to another path of the same server goes there."""
        request = self._http.build_request(method, self._url, headers=headers, **options)
        for _ in range(MOST_REDIRECTS):
            response = await self._http.send(request, stream=True, follow_redirects=False)
            onward = _within_origin(response)
            if onward is None:
                break
            await response.aclose()
            request = onward
        try:
            yield response
        finally:
            await response.aclose()


class _NotResumed(Exception):
    """The server does not go on with a stream."""


class _Stream:
    """The events of one answer, over however many connections. asked: the id of its request."""

    def __init__(self, asked: Any) -> None:
        self.asked = asked
        self.answered = False
        self.last_event_id = ""
        self.pause = PAUSE

    async def messages(self, response: httpx2.Response) -> AsyncGenerator[Message]:
        """Until the answer, or the end of the stream. One that breaks off has ended."""
        reader = EventReader(MOST_BYTES)
        try:
            async for chunk in response.aiter_bytes():
                events = reader.feed(chunk)
                self._note(reader)
                for data in events:
                    message = self._read(data)
                    if message is not None:
                        yield message
                    if self.answered:
                        return
        except EventTooLong:
            self.answered = True
            said = f"SSE stream failed: an event is longer than {MOST_BYTES} bytes"
            yield error_answer(self.asked, CONNECTION_CLOSED, said)
        except httpx2.TransportError:
            pass

    def _note(self, reader: EventReader) -> None:
        self.last_event_id = reader.last_event_id.decode("utf-8", "replace") or self.last_event_id
        if reader.reconnection_time is not None:
            self.pause = min(reader.reconnection_time / 1000, LONGEST_PAUSE)

    def _read(self, data: bytes) -> Message | None:
        """The message; None for a sign of life."""
        if data == KEEP_ALIVE:
            return None
        message = _read(data, self.asked, "SSE message")
        self.answered = is_answer(message)
        return {**message, "id": self.asked} if self.answered else message


async def _fault(response: httpx2.Response, message_id: Any, *, in_session: bool) -> Message | None:
    """The error that an answer is by its status; None for an answer that is read."""
    status = response.status_code
    if status == HTTPStatus.ACCEPTED:
        return error_answer(message_id, INVALID_REQUEST, "server answered a request with 202 Accepted")
    if response.is_success:
        return None
    if response.next_request is not None:
        return error_answer(message_id, INVALID_REQUEST, "Redirect not followed")
    if _content_type(response).startswith(_JSON):
        with contextlib.suppress(NoMessage):
            message = read_message(await response.aread())
            if "error" in message:
                return {**message, "id": message_id}
    return error_answer(message_id, *_by_status(status, in_session=in_session))


def _by_status(status: int, *, in_session: bool) -> tuple[int, str]:
    if status != HTTPStatus.NOT_FOUND:
        return INTERNAL_ERROR, "Server returned an error response"
    return (INVALID_REQUEST, "Session terminated") if in_session else (METHOD_NOT_FOUND, "Not Found")


def _read(text: bytes, message_id: Any, what: str) -> Message:
    """The message; an error in its place for what is none."""
    try:
        return read_message(text)
    except NoMessage as error:
        return error_answer(message_id, PARSE_ERROR, f"Failed to parse {what}: {error}")


def _content_type(response: httpx2.Response) -> str:
    return str(response.headers.get("content-type", "")).lower()


def _within_origin(response: httpx2.Response) -> httpx2.Request | None:
    """The same message to where a redirect leads, if that is the same server; None for anything else."""
    onward, sent = response.next_request, response.request
    if onward is None or onward.method != sent.method or onward.url.userinfo != sent.url.userinfo:
        return None
    here, there = ((url.scheme, url.host, url.port) for url in (sent.url, onward.url))
    upgraded = here[1] == there[1] and (here[0], here[2], there[0], there[2]) == ("http", None, "https", None)
    return onward if here == there or upgraded else None
