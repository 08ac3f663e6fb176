"""A request that another worker answers: what it is about is in the memory of that one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer
from ostiary.transport.upstream import Upstream, UpstreamFailed, UpstreamLimits
from ostiary.transport.workers import WORD_HEADER, Worker

if TYPE_CHECKING:
    from ostiary.gateway.homes import Elsewhere
    from ostiary.transport.upstream.answer import Stream

HOUR, MIB = 3600.0, 1024 * 1024
LIMITS = UpstreamLimits(
    timeout=HOUR,  # the other one knows how long it may take
    connect_timeout=2.0,
    connections=4096,
    caller_connections=4096,
    answer_bytes=64 * MIB,
    held_bytes=256 * MIB,
)
_OF_THE_CONNECTION = frozenset(
    (
        *(b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"te", b"trailer"),
        *(b"expect", b"accept-encoding", b"x-forwarded-for", WORD_HEADER),
    )
)
_OUR_OWN = frozenset(
    (b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"date", b"vary")
)
"""Of an answer: what we say ourselves."""


class Handover:
    """To the other workers."""

    def __init__(self, worker: Worker) -> None:
        self._word = worker.word
        self._others = [
            Upstream(f"worker {index}", CanonicalUrl("http", address.host, address.port, ""), limits=LIMITS)
            for index, address in enumerate(worker.addresses)
        ]

    async def answer(self, elsewhere: Elsewhere, request: Request, path: bytes) -> Answer | StreamedAnswer:
        """What the other one answers. Raises the error that it comes to if that one has ended. Inline."""
        other = self._others[elsewhere.worker]
        target = path + b"?" + request.query if request.query else path
        body = await request.whole()
        kept = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_CONNECTION]
        lines = b"".join(b"%s: %s\r\n" % field for field in kept)
        message = (
            b"%s %s HTTP/1.1\r\nhost: %s\r\n%s: %s\r\nx-forwarded-for: %s\r\n%scontent-length: %d\r\n\r\n%s"
            % (
                *(request.method, target, other.url.authority.encode(), WORD_HEADER, self._word),
                *(request.peer.encode(), lines, len(body), body),
            )
        )
        try:
            answer = await other.exchange(message)
        except UpstreamFailed:
            raise elsewhere.lost from None
        headers = b"".join(
            b"%s: %s\r\n" % (name, value)
            for name, value in answer.headers.items()
            if name not in _OUR_OWN and not name.startswith(b"access-control-")
        )
        stream = answer.stream
        if stream is None:
            return Answer(answer.status, answer.body, headers)
        is_standing = request.method == b"GET"
        if is_standing:
            stream.may_be_silent()
        return StreamedAnswer(answer.status, _pieces(stream), headers, stream.close, is_standing=is_standing)

    def close(self) -> None:
        """Drop all connections."""
        for other in self._others:
            other.close()


async def _pieces(stream: Stream) -> AsyncIterator[bytes]:
    async for piece in stream:
        yield piece
