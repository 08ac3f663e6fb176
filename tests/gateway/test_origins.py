"""Pages of listed origins may call and read the answers (CORS), and no others (DNS rebinding)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostiary.gateway.config import GatewaySettings

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway

PAGE = "https://app.example.com"
CALL = ("tools/call", {"name": "s_get"})


@pytest.fixture
async def caller(start_gateway: StartGateway, server: McpServer) -> Caller:
    return await start_gateway(allowed_origins=[PAGE], servers={"s": {"url": server.url}})


async def test_a_page_of_a_listed_origin_may_call_and_read(caller: Caller) -> None:
    answered = await caller.ask(*CALL, headers=[("origin", PAGE)])
    assert answered.status_code == 200
    assert (answered.headers["access-control-allow-origin"], answered.headers["vary"]) == (PAGE, "origin")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "null",
        "",
        f"{PAGE}:443",
        "http://app.example.com",
        f"{PAGE}.evil.com",
        "*",
    ],
)
async def test_any_other_page_may_not(caller: Caller, server: McpServer, origin: str) -> None:
    answered = await caller.ask(*CALL, headers=[("origin", origin)])
    assert (answered.status_code, answered.json()["error"]) == (
        403,
        {"code": -32003, "message": "pages of this origin may not call: allow it under allowed_origins"},
    )
    assert "access-control-allow-origin" not in answered.headers
    assert server.seen == []


async def test_a_page_of_its_own_origin_may_call(start_gateway: StartGateway, server: McpServer) -> None:
    caller = await start_gateway(servers={"s": {"url": server.url}})
    port = caller.origin.rpartition(":")[2]
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        answered = await caller.ask(*CALL, headers=[("origin", origin)])
        assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (200, origin)
    rebound = await caller.ask(*CALL, headers=[("origin", f"http://rebound.example:{port}")])
    assert rebound.status_code == 403


def test_the_origin_of_a_public_address_is_its_own_and_loopback_pages_are_not() -> None:
    public = GatewaySettings.model_validate(
        {
            "listen": "0.0.0.0:8080",
            "url": "https://mcp.example.com",
            "allow_unauthenticated": True,
            "insecure_public": True,
        }
    )
    assert public.origins == ["https://mcp.example.com"]


async def test_what_is_no_page_has_no_origin_and_may_call(caller: Caller) -> None:
    answered = await caller.ask(*CALL)
    assert (answered.status_code, "access-control-allow-origin" in answered.headers) == (200, False)


async def test_a_refusal_can_be_read_by_the_page_too(caller: Caller) -> None:
    answered = await caller.ask("tools/burn", headers=[("origin", PAGE)])
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (404, PAGE)


async def test_one_pages_notification_leaves_no_trace_in_anothers_answer(caller: Caller) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled"}'
    for _ in range(3):
        answered = await caller.post(body, [("origin", PAGE)])
        assert answered.headers.get_list("access-control-allow-origin") == [PAGE]
    assert sorted((await caller.post(body)).headers) == ["content-length"]


async def test_a_page_asks_first_and_is_told(caller: Caller) -> None:
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, mcp-method, mcp-param-x",
    }
    answered = await caller.http.options(f"{caller.origin}/mcp", headers=asked)
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == PAGE
    assert answered.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
    refused = await caller.http.options(
        f"{caller.origin}/mcp", headers=asked | {"origin": "https://evil.example.com"}
    )
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)
