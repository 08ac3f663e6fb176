"""What was answered to whom, for whoever keeps a log of it; where nobody does, nothing of this is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ostiary.transport.inline_http import Answer, Door, Request, StreamedAnswer
from ostiary.transport.inline_protocol import InlineHttpProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ostiary.transport.request_head import RequestRefused


class AccessRecord(NamedTuple):
    """One request."""

    address: str
    """Of whom it is from, beyond the proxies that the operator named."""
    method: str
    path: str
    """Without what stands behind its question mark."""
    status: int | None
    """None for whoever was gone before the answer."""
    bytes: int
    """Of the answer's body."""
    seconds: float
    client: str | None
    """Which OAuth client sent it, if a token said so."""


Hear = Callable[[AccessRecord], None]


class RecordedProtocol(InlineHttpProtocol):
    """One connection whose requests to doors are told when they are answered, refused or left."""

    def __init__(self, *arguments: Any, hear: Hear, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.hear = hear
        self.open: dict[Request, tuple[float, bytes]] = {}
        """When each came, and its path."""

    def _begin(self, door: Door, method: bytes, headers: dict[bytes, bytes]) -> None:
        super()._begin(door, method, headers)
        if self.reading is not None:
            self.open[self.reading] = perf_counter(), self.url.partition(b"?")[0]

    def _write(self, request: Request, answer: Answer) -> None:
        super()._write(request, answer)
        self._tell(request, answer.status, len(answer.body))

    async def _stream(self, request: Request, answer: StreamedAnswer) -> None:
        chunks, size = answer.chunks, 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in chunks:
                size += len(chunk)
                yield chunk

        answer.chunks = counted()
        try:
            await super()._stream(request, answer)
        finally:
            self._tell(request, answer.status, size)

    def write_refusal(self, refused: RequestRefused) -> None:
        super().write_refusal(refused)
        begun, path = perf_counter(), self.url.partition(b"?")[0]
        if self.reading is not None:
            begun, path = self.open.pop(self.reading, (begun, path))
        method = self.parser.get_method() if self.url else b""
        self._hear(method, path, refused.status, 0, perf_counter() - begun, None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for request in list(self.open):
            if self.streaming is None:  # that one tells itself how far it came
                self._tell(request, None, 0)

    def _tell(self, request: Request, status: int | None, size: int) -> None:
        begun, path = self.open.pop(request, (None, b""))
        if begun is not None:
            client = None if request.caller is None else request.caller.client_id
            self._hear(request.method, path, status, size, perf_counter() - begun, client, request.peer)

    def _hear(
        self,
        method: bytes,
        path: bytes,
        status: int | None,
        size: int,
        seconds: float,
        client: str | None,
        address: str = "",
    ) -> None:
        told = (method.decode("latin-1"), path.decode("latin-1"), status, size, seconds, client)
        self.hear(AccessRecord(address or self.peer, *told))


def recorded_app(app: ASGIApp, hear: Hear) -> ASGIApp:
    """The application, whose answers are told."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun, status, size = perf_counter(), None, 0

        async def send_on(message: Message) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, send_on)
        finally:
            address = (scope.get("client") or ("",))[0]
            seconds = perf_counter() - begun
            hear(AccessRecord(address, scope["method"], scope["path"], status, size, seconds, None))

    return answer
