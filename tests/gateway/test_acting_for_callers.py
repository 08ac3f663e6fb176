"""Credentials that act for whoever calls: the caller's token is exchanged, and never travels on itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2
from tests.credentials.token_server import TokenServer, refusing
from tests.gateway.conftest import VISITOR

if TYPE_CHECKING:
    from tests.gateway.conftest import McpServer, StartGateway

    from ostiary.cloudrun.emulator import Emulator


async def visitors_token(google: Emulator, audience: str, subject: str) -> str:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "sub": subject,
        "email": VISITOR,
    }
    claims |= {"email_verified": True, "iat": now, "exp": now + 3600}
    async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
        answered = await http.post("/emulator/sign", json={"claims": claims})
    return str(answered.json()["token"])


async def test_each_caller_is_seen_by_the_server_as_who_they_are(
    start_gateway: StartGateway, server: McpServer, google: Emulator
) -> None:
    url = "https://mcp.example.com"
    async with TokenServer().running() as issuer:
        credential = {"type": "token_exchange", "token_url": str(issuer.token_url)}
        caller = await start_gateway(
            url=url,
            inbound=[{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}],
            servers={"s": {"url": server.url, "credential": credential}},
        )
        caller.http.headers["host"] = "mcp.example.com"
        one, two = [await visitors_token(google, f"{url}/mcp", subject) for subject in ("1", "2")]
        for caller.token in (one, two, one):
            answer = await caller.ask("tools/call", {"name": "s_x"})
            assert answer.status_code == 200, answer.text
    assert [form["subject_token"] for form in issuer.forms] == [one, two]
    sent = [seen.header("authorization") for seen in server.seen if seen.method == "tools/call"]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-1"]


async def test_a_credential_that_is_refused_for_one_caller_hides_no_server_from_others(
    start_gateway: StartGateway, server: McpServer, google: Emulator
) -> None:
    url = "https://mcp.example.com"
    async with TokenServer().running() as issuer:
        credential = {"type": "token_exchange", "token_url": str(issuer.token_url)}
        caller = await start_gateway(
            url=url,
            inbound=[{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}],
            servers={"s": {"url": server.url, "credential": credential}},
        )
        caller.http.headers["host"] = "mcp.example.com"
        one, two = [await visitors_token(google, f"{url}/mcp", subject) for subject in ("1", "2")]
        good = issuer.answer
        issuer.answer = lambda request, form: (
            good if form["subject_token"] == one else refusing("invalid_grant")
        )(request, form)
        caller.token = two
        listed = (await caller.ask("tools/list")).json()["result"]
        [missing] = listed["_meta"]["dev.ostiary/unavailable"]
        assert (missing["server"], missing["step"]) == ("s", "credential")
        caller.token = one
        await caller.ask("tools/list")
    assert [seen.header("authorization") for seen in server.seen] == ["Bearer token-1"]


async def test_where_nobody_is_known_the_call_says_so(start_gateway: StartGateway, server: McpServer) -> None:
    credential = {"type": "token_exchange", "token_url": "http://127.0.0.1:1/token"}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
    answer = await caller.ask("tools/call", {"name": "s_x"})
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == (
        f"server s: credential token_exchange for {server.url.removesuffix('/mcp')}: "
        "it acts for whoever calls, and nobody is known to call; "
        "call with a token that the gateway's inbound accepts, or set subject to a credential"
    )
    assert server.seen == []
