"""CredentialAuth with transports of the caller's own, which tell nobody when they have read a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import httpx
import httpx2
import pytest
import requests
from requests.adapters import BaseAdapter

from ostiary.credentials import Bearer, Header
from ostiary.credentials.adapters.httpx import CredentialAuth as AuthForHttpx
from ostiary.credentials.adapters.httpx2 import CredentialAuth as AuthForHttpx2
from ostiary.credentials.adapters.requests import CredentialAuth as AuthForRequests
from ostiary.secrets import Secret

OURS, ELSEWHERE, ANOTHER_PORT = "https://mcp.example", "https://thief.example", "https://mcp.example:8443"
API_KEY = Header(name="X-Api-Key", value=Secret("key"))

Get = Callable[[Any, Callable[[Any], Any], str], Awaitable[Any]]
"""credential, what answers requests, path → the final response, redirects followed."""


def awaiting(library: Any, auth: Any) -> Get:
    async def get(credential: Any, handler: Callable[[Any], Any], path: str) -> Any:
        transport = library.MockTransport(handler)
        auth_of_it = auth(credential, server_url=OURS)
        async with library.AsyncClient(transport=transport, auth=auth_of_it, follow_redirects=True) as http:
            return await http.get(OURS + path)

    return get


def blocking(library: Any, auth: Any) -> Get:
    def get(credential: Any, handler: Callable[[Any], Any], path: str) -> Any:
        transport = library.MockTransport(handler)
        auth_of_it = auth(credential, server_url=OURS)
        with library.Client(transport=transport, auth=auth_of_it, follow_redirects=True) as http:
            return http.get(OURS + path)

    async def in_thread(credential: Any, handler: Callable[[Any], Any], path: str) -> Any:
        return await asyncio.to_thread(get, credential, handler, path)

    return in_thread


@pytest.fixture(
    params=[
        (httpx2, awaiting(httpx2, AuthForHttpx2)),
        (httpx2, blocking(httpx2, AuthForHttpx2)),
        (httpx, awaiting(httpx, AuthForHttpx)),
        (httpx, blocking(httpx, AuthForHttpx)),
    ],
    ids=["httpx2", "httpx2, blocking", "httpx", "httpx, blocking"],
)
def client(request: pytest.FixtureRequest) -> tuple[Any, Get]:
    library, get = request.param
    return library, get


@pytest.mark.parametrize("place", [ELSEWHERE, ANOTHER_PORT])
@pytest.mark.parametrize(
    ("credential", "name", "value"),
    [
        (API_KEY, "x-api-key", "key"),
        (Bearer(token=Secret("one")), "authorization", "Bearer one"),
        (Header(name="Cookie", value=Secret("session=one")), "cookie", "session=one"),
    ],
    ids=["api key", "token", "cookie"],
)
async def test_a_redirect_to_another_server_takes_no_credential_along(
    client: tuple[Any, Get], credential: Any, name: str, value: str, place: str
) -> None:
    library, get = client
    seen: list[tuple[str, str | None]] = []

    def answer(request: Any) -> Any:
        seen.append((str(request.url), request.headers.get(name)))
        if len(seen) == 1:
            return library.Response(307, headers={"location": f"{place}/gone"})
        return library.Response(200)

    assert (await get(credential, answer, "/mcp")).status_code == 200
    assert seen == [(f"{OURS}/mcp", value), (f"{place}/gone", None)]


async def test_a_redirect_within_the_server_arrives_with_the_credential(client: tuple[Any, Get]) -> None:
    library, get = client
    seen: list[tuple[str, str | None]] = []

    def answer(request: Any) -> Any:
        key = request.headers.get("x-api-key")
        seen.append((request.url.path, key))
        if request.url.path == "/mcp":
            return library.Response(307, headers={"location": "/mcp/"})
        return library.Response(200 if key == "key" else 401)

    assert (await get(API_KEY, answer, "/mcp")).status_code == 200
    assert seen == [("/mcp", "key"), ("/mcp/", None), ("/mcp/", "key")]


async def test_however_a_transport_reads_the_headers_the_credential_is_there_once(
    client: tuple[Any, Get],
) -> None:
    library, get = client
    found: list[list[Any]] = []

    def answer(request: Any) -> Any:
        headers = request.headers
        found.append(
            [
                [value for name, value in headers.raw if name.lower() == b"x-api-key"],
                [value for name, value in headers.items() if name == "x-api-key"],
                [value for name, value in headers.multi_items() if name == "x-api-key"],
                headers.get_list("X-API-Key"),
                [dict(headers)["x-api-key"]],
                [headers["X-Api-Key"]],
                [headers.copy()["x-api-key"]],
                [list(headers).count("x-api-key"), "X-Api-Key" in headers, len(headers) == len(headers.raw)],
            ]
        )
        return library.Response(200)

    assert (await get(API_KEY, answer, "/mcp")).status_code == 200
    assert found == [[[b"key"], *[["key"]] * 6, [1, True, True]]]


async def test_what_a_hook_sets_on_a_request_travels_on_and_the_credential_does_not() -> None:
    seen: list[tuple[str | None, str | None]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.headers.get("traceparent"), request.headers.get("x-api-key")))
        return (
            httpx2.Response(307, headers={"location": ELSEWHERE}) if len(seen) == 1 else httpx2.Response(200)
        )

    async def hook(request: httpx2.Request) -> None:
        request.headers.setdefault("traceparent", "00-1")
        assert "key" not in repr(request.headers).replace("x-api-key", "")

    async with httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer),
        auth=AuthForHttpx2(API_KEY, server_url=OURS),
        follow_redirects=True,
        event_hooks={"request": [hook]},
    ) as http:
        await http.get(f"{OURS}/mcp")
    assert seen == [("00-1", "key"), ("00-1", None)]


async def test_a_redirect_that_nobody_followed_yet_has_no_credential() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(307, headers={"location": ELSEWHERE})

    async with httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer), auth=AuthForHttpx2(API_KEY, server_url=OURS)
    ) as http:
        response = await http.get(f"{OURS}/mcp")
    assert response.next_request is not None
    assert "x-api-key" not in response.next_request.headers


class Answering(BaseAdapter):
    """A transport of the caller's own for `requests`."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str | None]] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.seen.append((str(request.url), request.headers.get("x-api-key")))
        answer = requests.Response()
        answer.request, answer.url, answer.raw = request, str(request.url), BytesIO()
        answer.status_code = 307 if len(self.seen) == 1 else 200
        answer.headers["location"] = f"{ELSEWHERE}/gone"
        return answer

    def close(self) -> None:
        """There is nothing to close."""


def test_requests_takes_no_api_key_along_either() -> None:
    own = Answering()
    with requests.Session() as http:
        http.mount("https://", own)
        http.auth = AuthForRequests(API_KEY, server_url=OURS)
        assert http.get(f"{OURS}/mcp").status_code == 200
    assert own.seen == [(f"{OURS}/mcp", "key"), (f"{ELSEWHERE}/gone", None)]
