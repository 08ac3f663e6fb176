"""Whose word on who asks counts: limits and audit go by it."""

from __future__ import annotations

from typing import Any

from tests.authserver.agreed import events
from tests.authserver.conftest import SECRET, Start, basic_settings

FORM = {"grant_type": "client_credentials"}
CI = ("ci", SECRET)


def told(address: str) -> dict[str, Any]:
    return {"auth": CI, "headers": {"x-forwarded-for": address}}


async def test_behind_a_proxy_each_address_has_its_own_limit(start: Start) -> None:
    async with start(basic_settings(trusted_proxies=["127.0.0.0/8"], limits={"token": "2/m"})) as server:
        for address in ("203.0.113.1", "203.0.113.2"):
            statuses = [(await server.token(FORM, **told(address))).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
        issued = [event["address"] for event in events(server, "token_issued")]
        assert issued == ["203.0.113.1"] * 2 + ["203.0.113.2"] * 2


async def test_a_stranger_does_not_choose_its_address(start: Start) -> None:
    async with start(basic_settings(limits={"token": "2/m"})) as server:
        statuses = [(await server.token(FORM, **told(f"203.0.113.{n}"))).status_code for n in range(3)]
        assert statuses == [200, 200, 429]
        assert {event["address"] for event in events(server, "token_issued")} == {"127.0.0.1"}


async def test_pages_know_who_asks_by_the_same_rule(start: Start) -> None:
    page = "/oauth/authorize?client_id=nobody"
    for proxies, address in (([], "127.0.0.1"), (["127.0.0.1/32"], "203.0.113.1")):
        async with start(basic_settings(trusted_proxies=proxies)) as server:
            server.audit_file.write_text("")
            await server.http.get(server.issuer + page, headers={"x-forwarded-for": "203.0.113.1"})
            (refused,) = events(server, "sign_in_refused")
            assert refused["address"] == address
