"""Requests that go to a gateway in this process, over no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from ostiary.gateway.one_server import request_within
from ostiary.inline_coroutines import as_future
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.gateway.endpoint import Endpoint


class WithinTransport(httpx2.AsyncBaseTransport):
    """Carries POST requests, whatever their URL."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As of every transport."""
        headers = {name.lower(): value for name, value in request.headers.raw}
        asked = request_within(self._endpoint, headers, await request.aread())
        answer = await as_future(self._endpoint(asked))
        lines = [line.split(b": ", 1) for line in answer.headers.splitlines()]
        fields = [(name, value) for name, value in lines]
        if isinstance(answer, Answer):
            return httpx2.Response(answer.status, headers=fields, content=answer.body)
        return httpx2.Response(answer.status, headers=fields, stream=_Chunks(answer))


class _Chunks(httpx2.AsyncByteStream):
    """A body that is made while it is read."""

    def __init__(self, answer: StreamedAnswer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.chunks:
            yield chunk

    async def aclose(self) -> None:
        """No more is wanted."""
        self._answer.close()
