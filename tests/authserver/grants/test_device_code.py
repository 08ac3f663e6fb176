"""Signing in at another device, RFC 8628. What its person sees is in `connections/`."""

from __future__ import annotations

import re
from typing import Any

import httpx2
from tests.authserver.agreed import APP, TV, agreed, approve, claims_of, events, refresh, refusal, settings
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start

from ostiary.authserver import device_codes
from ostiary.oauth.server.client import DEVICE_CODE

PENDING = refusal("nobody has decided yet; ask again", "authorization_pending")
UNKNOWN = refusal("the device code is unknown, or not this client's")


def with_tv(**more: Any) -> dict[str, Any]:
    return settings(clients=[TV, TV | {"client_id": "other"}, APP]) | more


async def ask(server: Server, **changes: str) -> dict[str, Any]:
    form = {"client_id": "tv", "scope": "mcp"} | changes
    answered = await server.post("/oauth/device_authorization", form)
    assert answered.status_code == 200, answered.text
    body: dict[str, Any] = answered.json()
    return body


async def poll(server: Server, device_code: str, **changes: str) -> httpx2.Response:
    form = {"grant_type": DEVICE_CODE, "device_code": device_code, "client_id": "tv"}
    return await server.token(form | changes)


async def test_a_device_gets_a_code_for_itself_and_one_for_its_person(start: Start) -> None:
    async with start(with_tv()) as server:
        answered = await server.post("/oauth/device_authorization", {"client_id": "tv"})
    assert answered.headers["cache-control"] == "no-store"
    body = answered.json()
    assert len(body.pop("device_code")) == 43
    user_code = body.pop("user_code")
    assert re.fullmatch("[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", user_code)
    assert body == {
        "verification_uri": f"{server.issuer}/device",
        "verification_uri_complete": f"{server.issuer}/device?user_code={user_code}",
        "expires_in": 600,
        "interval": 5,
    }


async def test_a_device_waits_until_its_person_has_agreed(start: Start, clock: Clock) -> None:
    async with start(with_tv()) as server:
        asked = await ask(server)
        assert (await poll(server, asked["device_code"])).json() == PENDING
        assert await approve(server, asked["user_code"].lower().replace("-", " "))
        clock.advance(5)
        answered = await poll(server, asked["device_code"])
        tokens = answered.json()
        claims = await claims_of(server, tokens["access_token"])
        assert (await refresh(server, tokens["refresh_token"], client_id="tv")).status_code == 200
        (started,) = events(server, "session_started")
    assert answered.status_code == 200
    assert (claims["client_id"], claims["aud"], claims["scope"]) == ("tv", RESOURCE, "mcp")
    assert (started["client"], started["subject"]) == ("tv", claims["sub"])


async def test_a_device_code_is_used_once(start: Start) -> None:
    async with start(with_tv()) as server:
        asked = await ask(server)
        await approve(server, asked["user_code"])
        assert (await poll(server, asked["device_code"])).status_code == 200
        again = await poll(server, asked["device_code"])
    assert again.json() == refusal("the device code was used")


async def test_a_device_that_does_not_wait_is_told_to_slow_down(start: Start, clock: Clock) -> None:
    async with start(with_tv()) as server:
        code = (await ask(server))["device_code"]
        said = []
        for seconds in (0, 1, 8, 14):
            clock.advance(seconds)
            said.append((await poll(server, code)).json()["error"])
    # the interval is 5, then 10, then 15; a second too early is forgiven
    assert said == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]


async def test_what_a_person_decided_is_heard_at_once(start: Start) -> None:
    async with start(with_tv()) as server:
        asked = await ask(server)
        await poll(server, asked["device_code"])
        await approve(server, asked["user_code"])
        assert (await poll(server, asked["device_code"])).status_code == 200


async def test_a_person_says_no(start: Start) -> None:
    async with start(with_tv()) as server:
        asked, services = await ask(server), server.server.services

        def deny(connection: Any) -> tuple[bool, bool]:
            waiting = device_codes.find_waiting(
                connection, services.store, asked["user_code"], now=services.clock()
            )
            assert waiting is not None
            first = device_codes.deny(connection, waiting.device_hash, now=services.clock())
            return first, device_codes.deny(connection, waiting.device_hash, now=services.clock())

        assert await services.store.transaction(deny) == (True, False)
        assert not await approve(server, asked["user_code"])
        refused = await poll(server, asked["device_code"])
    assert refused.json() == refusal("the person said no", "access_denied")


async def test_a_device_code_ends_after_ten_minutes(start: Start, clock: Clock) -> None:
    async with start(with_tv()) as server:
        asked, approved = await ask(server), await ask(server)
        await approve(server, approved["user_code"])
        clock.advance(600)
        assert not await approve(server, asked["user_code"])
        for code in (asked["device_code"], approved["device_code"]):
            expired = (await poll(server, code)).json()
            assert expired == refusal("the device code has expired; begin again", "expired_token")


async def test_another_client_cannot_use_a_device_code(start: Start) -> None:
    async with start(with_tv()) as server:
        asked = await ask(server)
        await approve(server, asked["user_code"])
        assert (await poll(server, asked["device_code"], client_id="other")).json() == UNKNOWN
        assert (await poll(server, "no-device-code")).json() == UNKNOWN
        assert (await poll(server, asked["device_code"])).status_code == 200


async def test_what_was_agreed_for_another_client_lets_no_device_in(start: Start) -> None:
    async with start(with_tv()) as server:
        asked, services = await ask(server), server.server.services

        def decide(connection: Any) -> bool:
            waiting = device_codes.find_waiting(
                connection, services.store, asked["user_code"], now=services.clock()
            )
            assert waiting is not None
            return device_codes.approve(
                connection,
                services.store,
                waiting.device_hash,
                agreed(client_id="other"),
                now=services.clock(),
            )

        assert not await services.store.transaction(decide)
        assert (await poll(server, asked["device_code"])).json() == PENDING


async def test_another_resource_is_refused_and_spends_nothing(start: Start) -> None:
    async with start(with_tv()) as server:
        asked = await ask(server, resource=RESOURCE)
        await approve(server, asked["user_code"])
        refused = await poll(server, asked["device_code"], resource="https://mcp.example.com/other")
        assert refused.json() == refusal("the resource is not the one that was authorized", "invalid_target")
        assert (await poll(server, asked["device_code"])).status_code == 200


async def test_a_client_needs_the_grant(start: Start) -> None:
    async with start(with_tv()) as server:
        refused = await server.post("/oauth/device_authorization", {"client_id": "app"})
    assert refused.json() == refusal(
        f"this client may not use the grant {DEVICE_CODE}", "unauthorized_client"
    )


async def test_a_confidential_client_proves_itself_at_both(start: Start) -> None:
    till = TV | {"client_id": "till", "client_secret": SECRET}
    async with start(settings(clients=[till])) as server:
        refused = await server.post("/oauth/device_authorization", {"client_id": "till"})
        asked = await server.post("/oauth/device_authorization", {"scope": "mcp"}, auth=("till", SECRET))
        form = {"grant_type": DEVICE_CODE, "device_code": asked.json()["device_code"]}
        assert (await server.token(form, auth=("till", SECRET))).json() == PENDING
    assert refused.status_code == 401


async def test_unknown_scopes_and_resources_are_refused_before_anybody_is_asked(start: Start) -> None:
    async with start(with_tv()) as server:
        scope = await server.post("/oauth/device_authorization", {"client_id": "tv", "scope": "root"})
        resource = await server.post(
            "/oauth/device_authorization", {"client_id": "tv", "resource": "https://evil.example.com/mcp"}
        )
    assert scope.json()["error"] == "invalid_scope"
    assert resource.json()["error"] == "invalid_target"
