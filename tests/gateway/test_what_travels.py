"""Only what is listed travels: to a server never the caller's identity, to a caller never a server's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from tests.credentials.token_server import TokenServer
from tests.gateway.conftest import result

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

CALL = ("tools/call", {"name": "s_get", "arguments": {"n": 1.5}})
IDENTITY = [
    ("authorization", "Bearer the-callers-own"),
    ("cookie", "session=1"),
    ("proxy-authorization", "Basic dTpw"),
    ("x-goog-authenticated-user-email", "a@example.com"),
    ("x-goog-iap-jwt-assertion", "a.b.c"),
    ("x-serverless-authorization", "Bearer another"),
    ("x-amzn-oidc-data", "a.b.c"),
    ("x-ms-client-principal", "me"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-host", "evil.example.com"),
    ("forwarded", "for=10.0.0.1"),
    ("mcp-session-id", "1"),
    ("x-api-key", "the-callers-own"),
    ("te", "trailers"),
]
OURS = {
    "host", "user-agent", "content-type", "accept", "accept-encoding", "content-length",
    "mcp-protocol-version", "mcp-method", "mcp-name",
}  # fmt: skip


async def test_the_caller_stays_unknown_to_the_server(caller: Caller, server: McpServer) -> None:
    await caller.ask(*CALL, headers=IDENTITY)
    assert {name for name, _ in server.seen[0].headers} == OURS


async def test_a_server_is_sent_its_own_names_and_the_callers_arguments(
    caller: Caller, server: McpServer
) -> None:
    answered = await caller.ask(*CALL, message_id="mine")
    [seen] = server.seen
    assert (seen.header("mcp-method"), seen.header("mcp-name")) == ("tools/call", "get")
    assert (seen.body["params"]["name"], seen.body["params"]["arguments"]) == ("get", {"n": 1.5})
    assert (seen.body["id"] == "mine", answered.json()["id"]) == (False, "mine")


async def test_ids_sent_to_a_server_are_unique(caller: Caller, server: McpServer) -> None:
    for _ in range(3):
        await caller.ask(*CALL, message_id=7)
    assert len({seen.body["id"] for seen in server.seen}) == 3


async def test_a_trace_and_parameter_headers_go_on(caller: Caller, server: McpServer) -> None:
    sent = [("traceparent", "00-a-b-01"), ("tracestate", "a=b"), ("mcp-param-region", "=?base64?w6k=?=")]
    await caller.ask(*CALL, headers=sent)
    assert [header for header in server.seen[0].headers if header[0] not in OURS] == sent


@pytest.mark.parametrize("name", ["x-tenant", "accept-language"])
async def test_a_header_that_is_configured_to_go_on_does(
    start_gateway: StartGateway, server: McpServer, name: str
) -> None:
    caller = await start_gateway(servers={"s": {"url": server.url, "forward_headers": [name.upper()]}})
    await caller.ask(*CALL, headers=[(name, "nb")])
    assert server.seen[0].header(name) == "nb"


async def test_a_name_that_no_header_can_carry_is_sent_encoded(caller: Caller, server: McpServer) -> None:
    await caller.ask("tools/call", {"name": "s_é\r\nx-evil: 1"})
    [seen] = server.seen
    assert (seen.header("mcp-name"), seen.header("x-evil")) == ("=?base64?w6kNCngtZXZpbDogMQ==?=", None)
    assert seen.body["params"]["name"] == "é\r\nx-evil: 1"


async def test_a_servers_own_headers_stay_with_the_gateway(caller: Caller, server: McpServer) -> None:
    async def chatty(seen: Seen, _request: web.Request) -> web.StreamResponse:
        own = {
            "set-cookie": "a=1",
            "access-control-allow-origin": "*",
            "www-authenticate": "Bearer",
            "server": "x",
            "mcp-session-id": "1",
            "x-powered-by": "y",
        }
        return result(seen, {}, headers=own)

    server.reply = chatty
    answered = await caller.ask(*CALL)
    assert sorted(answered.headers) == ["content-length", "content-type"]


# a server's 401 is never the caller's own


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "key")


class KeyFile:
    """A key that somebody changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.change("old")

    def change(self, key: str) -> None:
        self.path.write_text(key)


async def test_a_401_is_tried_once_more_with_a_fresh_credential(
    start_gateway: StartGateway, server: McpServer, key_file: KeyFile
) -> None:
    async def new_key_only(seen: Seen, _request: web.Request) -> web.StreamResponse:
        if seen.header("x-api-key") != "new":
            key_file.change("new")
            return web.Response(status=401)
        return result(seen, {"done": True})

    server.reply = new_key_only
    credential = {"type": "header", "name": "x-api-key", "value": {"file": str(key_file.path)}}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
    for _ in range(2):
        answered = await caller.ask(*CALL)
        assert (answered.status_code, answered.json()["result"]) == (200, {"done": True})
    assert [seen.header("x-api-key") for seen in server.seen] == ["old", "new", "new"]


async def test_tokens_that_had_worked_are_replaced_at_once_however_often_they_are_revoked(
    start_gateway: StartGateway, server: McpServer
) -> None:
    good = "token-1"

    async def good_only(seen: Seen, _request: web.Request) -> web.StreamResponse:
        if seen.header("authorization") != f"Bearer {good}":
            return web.Response(status=401)
        return result(seen, {"done": True})

    server.reply = good_only
    async with TokenServer().running() as issuer:
        credential = {
            "type": "client_credentials",
            "client_id": "ostiary",
            "token_url": str(issuer.token_url),
        }
        caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
        for number in range(1, 6):
            good = f"token-{number}"
            assert (await caller.ask(*CALL)).status_code == 200
        assert issuer.issued == 5


async def test_a_server_that_refuses_every_fresh_credential_is_not_asked_for_ever(
    start_gateway: StartGateway, server: McpServer, key_file: KeyFile
) -> None:
    async def refuse(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        key_file.change(f"key {len(server.seen)}")
        return web.Response(status=401)

    server.reply = refuse
    credential = {"type": "header", "name": "x-api-key", "value": {"file": str(key_file.path)}}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
    answered = await caller.ask(*CALL)
    refused = f"server s: {server.url} refused credential header with 401"
    message = f"{refused}; `ostiary doctor --server s` finds out why"
    assert (answered.status_code, answered.json()["error"]) == (502, {"code": -32014, "message": message})
    assert [seen.header("x-api-key") for seen in server.seen] == ["old", "key 1", "key 2"]


async def test_each_server_gets_its_own_credential_and_no_other(
    start_gateway: StartGateway,
    start_server: Callable[[], Awaitable[McpServer]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIRST", "1")
    monkeypatch.setenv("SECOND", "2")
    one, two, three = [await start_server() for _ in range(3)]
    caller = await start_gateway(
        servers={
            "one": {"url": one.url, "credential": {"type": "bearer", "token": {"env": "FIRST"}}},
            "two": {"url": two.url, "credential": {"type": "bearer", "token": {"env": "SECOND"}}},
            "three": {"url": three.url},
        }
    )
    for name in ("one", "two", "three"):
        await caller.ask("tools/call", {"name": f"{name}_get"}, headers=[("authorization", "Bearer own")])
    sent = [server.seen[0].header("authorization") for server in (one, two, three)]
    assert sent == ["Bearer 1", "Bearer 2", None]
