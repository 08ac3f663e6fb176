"""Several processes that answer at the same addresses: what each knows of the others, and how it asks them.

They share no memory. Each listens at a port of its own on this machine as well, where the others ask it what
it has counted, and hand over what it alone can answer; whoever does not say the word that all of them were
given is told that nothing is there.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from socket import socket
from typing import TYPE_CHECKING

from ostiary.settings import Listen
from ostiary.transport.inline_http import Answer, Door, Doors, Request, StreamedAnswer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PATIENCE = 2.0
"""Seconds that another one has for an answer."""
MOST_BYTES = 16 * 1024 * 1024
"""Of an answer."""
WORD_HEADER = b"x-ostiary-worker"
NOTHING = b"nothing is here\n"


@dataclass(frozen=True, slots=True)
class Worker:
    """One of them."""

    index: int
    addresses: tuple[Listen, ...]
    """Where each listens for the others."""
    own: socket = field(repr=False)
    """On which this one does."""
    secret: bytes = field(repr=False)
    """What all of them were given, and nobody else."""

    @property
    def seal_key(self) -> bytes:
        """What they seal with for each other, where no storage has a key; 32 bytes."""
        return blake2b(self.secret, digest_size=32, person=b"seals").digest()

    @property
    def word(self) -> bytes:
        """By which one knows another."""
        return blake2b(self.secret, digest_size=32, person=b"word").hexdigest().encode()

    async def ask_all(self, path: str) -> Mapping[int, tuple[int, bytes]]:
        """Status and body of what each answers, this one among them; without those that are not there."""
        answers = await asyncio.gather(*(self._ask(address, path) for address in self.addresses))
        return {index: answer for index, answer in enumerate(answers) if answer is not None}

    async def _ask(self, address: Listen, path: str) -> tuple[int, bytes] | None:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(address.host, address.port)
                try:
                    writer.write(
                        b"GET %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nConnection: close\r\n\r\n"
                        % (path.encode(), str(address).encode(), WORD_HEADER, self.word)
                    )
                    answer = await reader.read(MOST_BYTES)
                    while piece := await reader.read(MOST_BYTES - len(answer)):
                        answer += piece
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head[len(b"HTTP/1.1 ") :][:3]
        return (int(status), body) if status.isdigit() else None


def doors_for_workers(doors: Doors, word: bytes) -> Doors:
    """Doors for the other workers alone."""
    return {
        method: {path: _for_workers(door, word) for path, door in paths.items()}
        for method, paths in doors.items()
    }


def _for_workers(door: Door, word: bytes) -> Door:
    async def answer(request: Request) -> Answer | StreamedAnswer:
        if not hmac.compare_digest(request.headers.get(WORD_HEADER, b""), word):
            return Answer(HTTPStatus.NOT_FOUND, NOTHING, b"content-type: text/plain; charset=utf-8\r\n")
        return await door(request)

    return answer


class ForWorkers:
    """An application for the other workers alone. app: None for none."""

    def __init__(self, app: ASGIApp | None, word: bytes) -> None:
        self._app = app or _nothing
        self._word = word

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        said = dict(scope.get("headers", ())).get(WORD_HEADER, b"")
        if scope["type"] != "http" or hmac.compare_digest(said, self._word):
            await self._app(scope, receive, send)
        else:
            await _nothing(scope, receive, send)


async def _nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(NOTHING))]
    await send({"type": "http.response.start", "status": HTTPStatus.NOT_FOUND, "headers": headers})
    await send({"type": "http.response.body", "body": NOTHING})
