"""The account server, before a provider that answers what it likes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.loopback import TRUSTING_NOBODY

from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.account import account_app

TOKEN = "correct-horse-battery-staple-4711"
ALICE = {"sub": "alice", "name": "Alice", "email": "alice@example.com", "groups": ["keepers"]}


@dataclass
class Provider:
    """What it answers, and what it was shown."""

    url: str = ""
    answer: Response = field(default_factory=lambda: Response(json.dumps(ALICE)))
    shown: list[tuple[str, str | None]] = field(default_factory=list)

    async def userinfo(self, request: Request) -> Response:
        self.shown.append((request.url.path, request.headers.get("authorization")))
        return self.answer


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider, sock = Provider(), bind(Listen("127.0.0.1", 0))
    provider.url = f"http://{address_of(sock)}/userinfo"
    async with serving(Starlette(routes=[Route("/{path}", provider.userinfo)]), sock):
        yield provider


async def whoami(userinfo: str, authorization: str | None = f"Bearer {TOKEN}") -> CallToolResult:
    headers = {} if authorization is None else {"authorization": authorization}
    sock = bind(Listen("127.0.0.1", 0))
    async with AsyncExitStack() as running:
        await running.enter_async_context(serving(account_app(canonical_url(userinfo)), sock))
        http = await running.enter_async_context(
            httpx2.AsyncClient(headers=headers, trust_env=False, verify=TRUSTING_NOBODY)
        )
        transport = streamable_http_client(f"http://{address_of(sock)}/mcp", http_client=http)
        client = await running.enter_async_context(Client(transport))
        return await client.call_tool("whoami", {})


def said(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


async def test_it_says_whose_the_token_is_and_nothing_else(provider: Provider) -> None:
    result = await whoami(provider.url)
    assert result.structured_content == {"name": "Alice", "email": "alice@example.com"}
    assert provider.shown == [("/userinfo", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response("{}", 401), "the provider knows nobody by the token that came with the call"),
        (Response("{}"), "the provider does not say whose the token is"),
        (Response(b"\xff\xfe"), "the provider does not say whose the token is"),
        (Response('{"name": ["Alice"], "email": 1}'), "the provider does not say whose the token is"),
        (Response("[" * 100_000), "the provider does not say whose the token is"),
    ],
)
async def test_an_answer_that_names_nobody_is_a_sentence_without_the_token(
    provider: Provider, answer: Response, sentence: str
) -> None:
    provider.answer = answer
    result = await whoami(provider.url)
    assert (result.is_error, said(result)) == (True, f"Error executing tool whoami: {sentence}")


async def test_a_redirect_takes_the_token_nowhere(provider: Provider) -> None:
    provider.answer = Response(status_code=307, headers={"location": "/elsewhere"})
    assert (await whoami(provider.url)).is_error
    assert [path for path, _ in provider.shown] == ["/userinfo"]


async def test_a_provider_that_is_away_is_named(provider: Provider) -> None:
    sock = bind(Listen("127.0.0.1", 0))
    away = f"http://{address_of(sock)}/userinfo"
    sock.close()
    result = await whoami(away)
    assert result.is_error
    assert away in said(result)
    assert TOKEN not in said(result)


async def test_a_caller_without_a_token_is_nobody(provider: Provider) -> None:
    provider.answer = Response("{}", 401)
    assert (await whoami(provider.url, authorization=None)).is_error
    assert provider.shown == [("/userinfo", "")]
