"""Which tokens open which door, for how long, and what the doors say of themselves: RFC 6750, RFC 9728."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.gateway.conftest import VISITOR, Clock, request_for

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway

    from ostiary.cloudrun.emulator import Emulator

PUBLIC = "https://mcp.example.com"
Token = Callable[..., Awaitable[str]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbound(google: Emulator) -> dict[str, Any]:
    return {"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}


@pytest.fixture
async def guarded(
    start_gateway: StartGateway, server: McpServer, inbound: dict[str, Any], clock: Clock
) -> Caller:
    """In front of a gateway known as PUBLIC, with the servers `zoo` and `other`."""
    servers = {"zoo": {"url": server.url}, "other": {"url": server.url}}
    caller = await start_gateway(clock, url=PUBLIC, inbound=[inbound], servers=servers)
    caller.http.headers["host"] = "mcp.example.com"
    return caller


@pytest.fixture
async def token(google: Emulator) -> Token:
    """Makes the visitor's tokens for an audience."""

    async def sign(audience: str, lifetime: int = 3600) -> str:
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com", "aud": audience, "sub": "1", "email": VISITOR,
            "email_verified": True, "iat": now, "exp": now + lifetime,
        }  # fmt: skip
        async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
            answered = await http.post("/emulator/sign", json={"claims": claims})
        return str(answered.json()["token"])

    return sign


async def statuses(caller: Caller) -> dict[str, int]:
    paths = ("/mcp", "/servers/zoo/mcp", "/servers/other/mcp")
    return {
        path: (await caller.ask("tools/call", {"name": "zoo_x"}, path=path)).status_code for path in paths
    }


async def test_a_token_for_the_federation_opens_each_server_too(guarded: Caller, token: Token) -> None:
    guarded.token = await token(f"{PUBLIC}/mcp")
    assert await statuses(guarded) == {"/mcp": 200, "/servers/zoo/mcp": 200, "/servers/other/mcp": 200}


async def test_a_token_for_one_server_opens_nothing_else(guarded: Caller, token: Token) -> None:
    guarded.token = await token(f"{PUBLIC}/servers/zoo/mcp")
    assert await statuses(guarded) == {"/mcp": 401, "/servers/zoo/mcp": 200, "/servers/other/mcp": 401}


@pytest.mark.parametrize("audience", [PUBLIC, f"{PUBLIC}/", f"{PUBLIC}/mcp/", f"{PUBLIC}/MCP", "mcp"])
async def test_a_token_for_nearly_this_resource_opens_nothing(
    guarded: Caller, token: Token, audience: str
) -> None:
    guarded.token = await token(audience)
    assert set((await statuses(guarded)).values()) == {401}


async def test_a_token_that_expires_in_the_middle_of_traffic_stops_opening(
    guarded: Caller, token: Token, clock: Clock, server: McpServer
) -> None:
    guarded.token = await token(f"{PUBLIC}/mcp", lifetime=300)
    answers = []
    for clock.ahead in (0, 100, 250, 320, 340):
        answered = await guarded.ask("tools/call", {"name": "zoo_x"})
        answers.append((answered.status_code, answered.json().get("error", {}).get("message")))
    assert answers == [(200, None)] * 4 + [(401, "the token has expired")]  # 30 s of leeway are forgiven
    assert len(server.seen) == 4


async def test_a_door_is_guarded_before_anything_is_read(guarded: Caller) -> None:
    answered = await guarded.post(b"not json")
    assert answered.status_code == 401


async def test_a_notification_needs_a_token_too(guarded: Caller, token: Token) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}'
    assert (await guarded.post(body)).status_code == 401
    guarded.token = await token(f"{PUBLIC}/mcp")
    answered = await guarded.post(body)
    assert (answered.status_code, answered.content) == (202, b"")


@pytest.mark.parametrize("path", ["/mcp", "/servers/zoo/mcp"])
async def test_a_door_says_how_to_get_in(guarded: Caller, path: str) -> None:
    answered = await guarded.ask("tools/list", path=path)
    metadata = f"{PUBLIC}/.well-known/oauth-protected-resource{path}"
    assert (answered.status_code, answered.headers["www-authenticate"], answered.json()) == (
        401,
        f'Bearer resource_metadata="{metadata}"',
        {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32001, "message": f"{PUBLIC}{path} wants a bearer token, and none was sent"},
        },
    )
    described = await guarded.http.get(guarded.origin + metadata.removeprefix(PUBLIC))
    assert (described.status_code, described.headers["content-type"], described.json()) == (
        200,
        "application/json",
        {"resource": f"{PUBLIC}{path}", "bearer_methods_supported": ["header"]},
    )


async def test_the_metadata_names_the_issuers_and_what_they_must_grant(
    start_gateway: StartGateway, server: McpServer
) -> None:
    issuer = {"issuer": "https://auth.example.com/", "required_scopes": ["mcp", "zoo"]}
    caller = await start_gateway(url=f"{PUBLIC}/base", inbound=[issuer], servers={"zoo": {"url": server.url}})
    caller.http.headers["host"] = "mcp.example.com"
    path = "/.well-known/oauth-protected-resource/base/servers/zoo/mcp"
    answered = await caller.http.get(caller.origin + path)
    assert answered.json() == {
        "resource": f"{PUBLIC}/base/servers/zoo/mcp",
        "authorization_servers": ["https://auth.example.com/"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp", "zoo"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"],
    }
    assert answered.headers["access-control-allow-origin"] == "*"
    refused = await caller.ask("tools/list", path="/servers/zoo/mcp")
    assert refused.headers["www-authenticate"] == (
        f'Bearer scope="mcp zoo", resource_metadata="{PUBLIC}{path}"'
    )


async def test_an_open_gateway_asks_for_nothing(caller: Caller) -> None:
    assert (await caller.ask("tools/call", {"name": "s_x"})).status_code == 200


async def test_a_body_is_not_waited_for_without_a_token(guarded: Caller) -> None:
    """Who shows none is told so on the head of the request: nothing is held for them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(guarded.origin.rpartition(":")[2]))
    lengthy = "Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{"
    writer.write(f"POST /mcp HTTP/1.1\r\nHost: mcp.example.com\r\n{lengthy}".encode())
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_a_body_that_comes_after_its_head_is_waited_for(guarded: Caller, token: Token) -> None:
    guarded.token = await token(f"{PUBLIC}/mcp")
    body, headers = request_for("tools/call", {"name": "zoo_x", "arguments": {"text": "x" * 100_000}})
    half = len(body) // 2

    async def parts() -> AsyncIterator[bytes]:
        yield body[:half]
        await asyncio.sleep(0.05)
        yield body[half:]

    for _ in range(2):  # of somebody who is not known yet, and of somebody who is
        headers = [
            *headers,
            ("content-type", "application/json"),
            ("authorization", f"Bearer {guarded.token}"),
        ]
        answered = await guarded.http.post(f"{guarded.origin}/mcp", content=parts(), headers=headers)
        assert answered.json()["result"]["params"]["arguments"] == {"text": "x" * 100_000}
        headers = headers[:-2]


async def test_a_door_with_a_slash_too_many_is_none_and_sends_nobody_to_plain_http(guarded: Caller) -> None:
    for path in ("/mcp/", "/servers/zoo/mcp/", "/.well-known/oauth-protected-resource/mcp/"):
        headers = {"x-forwarded-proto": "https", "authorization": "Bearer the-token"}
        for method in ("POST", "GET"):
            answer = await guarded.http.request(method, guarded.origin + path, headers=headers)
            assert (answer.status_code, answer.headers.get("location")) == (404, None)
