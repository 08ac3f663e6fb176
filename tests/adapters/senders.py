"""One way to send a request, whatever the HTTP library: what the tests of all adapters use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx
import httpx2
import requests

from ostiary.credentials.adapters.aiohttp import CredentialAuth as AuthForAiohttp
from ostiary.credentials.adapters.httpx import CredentialAuth as AuthForHttpx
from ostiary.credentials.adapters.httpx2 import CredentialAuth as AuthForHttpx2
from ostiary.credentials.adapters.requests import CredentialAuth as AuthForRequests

if TYPE_CHECKING:
    from ostiary.credentials import Credential

Send = Callable[..., Awaitable[int]]
"""method, url, headers and content → the final status, redirects followed."""
Open = Callable[["Credential", str], AbstractAsyncContextManager[Send]]
"""A client with this credential for the server at this URL."""

NOTHING: Mapping[str, str] = {}


def awaiting(http: httpx2.AsyncClient | httpx.AsyncClient) -> Send:
    async def send(method: str, url: str, headers: Mapping[str, str] = NOTHING, content: str = "") -> int:
        return (await http.request(method, url, headers=dict(headers), content=content)).status_code

    return send


def blocking(http: httpx2.Client | httpx.Client) -> Send:
    def request(method: str, url: str, headers: Mapping[str, str], content: str) -> int:
        return http.request(method, url, headers=dict(headers), content=content).status_code

    async def send(method: str, url: str, headers: Mapping[str, str] = NOTHING, content: str = "") -> int:
        return await asyncio.to_thread(request, method, url, headers, content)

    return send


@asynccontextmanager
async def httpx2_async(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    auth = AuthForHttpx2(credential, server_url=server_url)
    async with httpx2.AsyncClient(auth=auth, follow_redirects=True) as http:
        yield awaiting(http)


@asynccontextmanager
async def httpx_async(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    auth = AuthForHttpx(credential, server_url=server_url)
    async with httpx.AsyncClient(auth=auth, follow_redirects=True) as http:
        yield awaiting(http)


@asynccontextmanager
async def httpx2_blocking(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    auth = AuthForHttpx2(credential, server_url=server_url)
    with httpx2.Client(auth=auth, follow_redirects=True) as http:
        yield blocking(http)


@asynccontextmanager
async def httpx_blocking(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    auth = AuthForHttpx(credential, server_url=server_url)
    with httpx.Client(auth=auth, follow_redirects=True) as http:
        yield blocking(http)


@asynccontextmanager
async def requests_session(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    with requests.Session() as http:
        http.auth = AuthForRequests(credential, server_url=server_url)

        async def send(method: str, url: str, headers: Mapping[str, str] = NOTHING, content: str = "") -> int:
            answered = await asyncio.to_thread(http.request, method, url, headers=dict(headers), data=content)
            return answered.status_code

        yield send


@asynccontextmanager
async def aiohttp_session(credential: Credential, server_url: str) -> AsyncIterator[Send]:
    auth = AuthForAiohttp(credential, server_url=server_url)
    async with aiohttp.ClientSession(middlewares=[auth]) as http:

        async def send(method: str, url: str, headers: Mapping[str, str] = NOTHING, content: str = "") -> int:
            async with http.request(method, url, headers=headers, data=content) as response:
                return response.status

        yield send


SENDERS: Mapping[str, Open] = {
    "httpx2": httpx2_async,
    "httpx2, blocking": httpx2_blocking,
    "httpx": httpx_async,
    "httpx, blocking": httpx_blocking,
    "requests": requests_session,
    "aiohttp": aiohttp_session,
}
