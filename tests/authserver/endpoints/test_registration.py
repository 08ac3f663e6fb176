"""Dynamic client registration, RFC 7591."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from tests.authserver.clients.conftest import REDIRECT, audit
from tests.authserver.conftest import Clock, Server, Start, basic_settings
from tests.authserver.person import world

from ostiary.authserver.endpoints import registration
from ostiary.storage.schema import clients

DAY = 86400
PUBLIC = {
    "client_name": "Inspector",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}
MANY = {"register": "1000/m"}


def settings(**more: Any) -> dict[str, Any]:
    return basic_settings(registration={"dynamic": True, **more}, limits=MANY)


async def register(server: Server, metadata: Any) -> httpx2.Response:
    return await server.http.post(f"{server.issuer}/oauth/register", json=metadata)


async def test_a_public_client_registers_itself(start: Start) -> None:
    async with start(settings()) as server:
        answered = await register(server, PUBLIC)
        said = answered.json()
        client = await server.server.services.clients.find(said["client_id"])
    assert answered.status_code == 201
    assert answered.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[0-9a-f-]{36}", said.pop("client_id"))
    assert said == PUBLIC | {
        "client_id_issued_at": 1_800_000_000,
        "response_types": ["code"],
        "application_type": "native",
        "dpop_bound_access_tokens": False,
        "tls_client_certificate_bound_access_tokens": False,
        "require_pushed_authorization_requests": False,
    }
    assert client is not None
    assert client.is_public
    assert not client.is_preregistered


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_confidential_client_gets_the_method_that_it_asked_for(start: Start, method: str) -> None:
    async with start(settings()) as server:
        said = (await register(server, PUBLIC | {"token_endpoint_auth_method": method})).json()
        secret = said["client_secret"]
        basic = {"auth": (said["client_id"], secret)}
        post = {"client_id": said["client_id"], "client_secret": secret}
        form = {"grant_type": "client_credentials"}
        good = await (
            server.token(form, **basic) if method == "client_secret_basic" else server.token(form | post)
        )
        other = await (
            server.token(form | post) if method == "client_secret_basic" else server.token(form, **basic)
        )
        wrong = await server.token(form, auth=(said["client_id"], "wrong"))
        kept = await server.server.services.store.read(lambda c: c.execute(select(clients)).one())
    assert said["token_endpoint_auth_method"] == method
    assert len(secret) == 43
    assert said["client_secret_expires_at"] == 1_800_000_000 + 90 * DAY
    assert good.json()["error"] == "unauthorized_client"
    assert other.json()["error"] == wrong.json()["error"] == "invalid_client"
    assert secret not in str(kept)


@pytest.mark.parametrize(
    ("metadata", "error", "description"),
    [
        (PUBLIC | {"redirect_uris": ["http://evil.example/"]}, "invalid_redirect_uri", None),
        (PUBLIC | {"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", None),
        (
            PUBLIC | {"application_type": "web"},
            "invalid_redirect_uri",
            "a web application has redirect URIs with https alone: this one is for application_type native",
        ),
        (PUBLIC | {"grant_types": ["client_credentials"]}, "invalid_client_metadata", None),
        (PUBLIC | {"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata", None),
        (
            PUBLIC | {"tls_client_certificate_bound_access_tokens": True},
            "invalid_client_metadata",
            "tokens are bound to no certificates here: there is no mtls endpoint",
        ),
        ([], "invalid_client_metadata", "the client's metadata is not a JSON object"),
    ],
)
async def test_what_is_refused_is_refused_with_the_rfcs_code(
    start: Start, metadata: Any, error: str, description: str | None
) -> None:
    async with start(settings()) as server:
        refused = await register(server, metadata)
        events = audit(server)
    assert refused.status_code == 400
    said = refused.json()
    assert said["error"] == error
    assert description in {None, said["error_description"]}
    assert events == [{"event": "registration_refused", "error": error, "reason": said["error_description"]}]


@pytest.mark.parametrize("body", [b"{", b"", b"[" * 50_000, b'{"client_name": "\xff"}'])
async def test_a_body_that_is_not_json_is_refused(start: Start, body: bytes) -> None:
    async with start(settings()) as server:
        refused = await server.http.post(
            f"{server.issuer}/oauth/register", content=body, headers={"content-type": "application/json"}
        )
    assert refused.json() == {
        "error": "invalid_client_metadata",
        "error_description": "the client's metadata is not JSON",
    }


async def test_a_form_is_refused(start: Start) -> None:
    async with start(settings()) as server:
        refused = await server.post("/oauth/register", {"client_name": "x"})
    assert refused.json() == {
        "error": "invalid_request",
        "error_description": "the body must be application/json",
    }


async def test_nobody_registers_where_the_operator_does_not_say_so(start: Start) -> None:
    async with start() as server:
        refused = await register(server, PUBLIC)
        document = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
    assert refused.status_code == 404
    assert "registration_endpoint" not in document


async def test_the_metadata_says_where_to_register(start: Start) -> None:
    async with start(settings()) as server:
        document = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
    assert document["registration_endpoint"] == f"{server.issuer}/oauth/register"


async def test_ten_thousand_registrations(start: Start, clock: Clock) -> None:
    async with world(start, clock, registration={"dynamic": True, "dynamic_most": 5}, limits=MANY) as here:
        person = await here.person()
        for _ in range(5):
            await person.tokens(client_id=await here.stranger())
        full = await register(here.server, PUBLIC)
        clock.advance(90 * DAY)
        after = await register(here.server, PUBLIC)
        kept = await known(here.server)
    assert full.status_code == 503
    assert full.headers["retry-after"] == "3600"
    assert full.json() == {
        "error": "temporarily_unavailable",
        "error_description": "no more clients can register here for now: ask the operator, "
        "or describe it at a URL",
    }
    assert after.status_code == 201
    assert kept == [after.json()["client_id"]]


async def known(server: Server) -> list[str]:
    """The clients in the store, oldest first."""
    wanted = select(clients.c.client_id).order_by(clients.c.created_at)
    return await server.server.services.store.read(
        lambda connection: list(connection.execute(wanted).scalars())
    )


async def test_registrations_that_nobody_let_in_make_room_and_never_one_that_is_used(
    start: Start, clock: Clock
) -> None:
    """Who fills the room, or opens each of its own at the authorization endpoint, takes it from nobody."""
    async with world(start, clock, registration={"dynamic": True, "dynamic_most": 5}, limits=MANY) as here:
        person = await here.person()
        used = await here.stranger(grant_types=["authorization_code", "refresh_token"])
        tokens = await person.tokens(client_id=used)
        flood = []
        for _ in range(20):
            clock.advance(DAY)
            flood.append(await here.stranger())
            await person.authorize(client_id=flood[-1])
        assert await known(here.server) == [used, *flood[-4:]]
        form = {"grant_type": "refresh_token", "client_id": used, "refresh_token": tokens["refresh_token"]}
        assert (await here.server.token(form)).status_code == 200


async def test_a_client_that_a_replica_of_an_earlier_version_let_in_gives_no_room_to_strangers(
    start: Start, clock: Clock
) -> None:
    """During a roll-out, which does not write down that it was let in."""
    async with world(start, clock, registration={"dynamic": True, "dynamic_most": 5}, limits=MANY) as here:
        used = await here.stranger(grant_types=["authorization_code", "refresh_token"])
        tokens = await (await here.person()).tokens(client_id=used)
        store = here.server.server.services.store
        await store.transaction(
            lambda connection: connection.execute(clients.update().values(let_in_at=None))
        )
        for hour in range(3):
            clock.advance(3600)
            form = {"grant_type": "refresh_token", "client_id": used, **tokens}
            answered = await here.server.token(
                {name: form[name] for name in ("grant_type", "client_id", "refresh_token")}
            )
            assert answered.status_code == 200, hour
            tokens = answered.json()
            flood = [await here.stranger() for _ in range(6)]
        assert await known(here.server) == [used, *flood[-4:]]


@pytest.mark.parametrize("addresses", [["203.0.113.1"], ["2001:db8:0:1::1", "2001:db8:0:1:2::2"]])
async def test_registrations_of_one_address_make_room_for_each_other_alone(
    start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(registration, "LEAST_OF_ADDRESS", 3)
    async with start(settings(dynamic_most=10) | {"trusted_proxies": ["127.0.0.0/8"]}) as server:

        async def from_address(address: str) -> str:
            clock.advance(1)
            headers = {"x-forwarded-for": address}
            url = f"{server.issuer}/oauth/register"
            answered = await server.http.post(url, json=PUBLIC, headers=headers)
            client_id: str = answered.json()["client_id"]
            return client_id

        other = await from_address("198.51.100.1")
        flood = [await from_address(addresses[number % len(addresses)]) for number in range(20)]
        assert await known(server) == [other, *flood[-3:]]


async def test_registrations_are_limited_by_address(start: Start) -> None:
    limited = basic_settings(registration={"dynamic": True}, limits={"register": "2/m"})
    async with start(limited) as server:
        answers = [(await register(server, PUBLIC)).status_code for _ in range(3)]
    assert answers == [201, 201, 429]


async def test_a_client_that_is_used_stays_and_one_that_is_not_ends(start: Start, clock: Clock) -> None:
    async with start(settings(dynamic_lifetime="10d")) as server:
        find = server.server.services.clients.find
        used, unused = [(await register(server, PUBLIC)).json()["client_id"] for _ in range(2)]
        clock.advance(9 * DAY)
        assert await find(used) is not None
        clock.advance(9 * DAY)
        assert await find(used) is not None
        assert await find(unused) is None


async def test_a_registration_outlives_a_restart(start: Start) -> None:
    async with start(settings()) as server:
        client_id = (await register(server, PUBLIC | {"scope": "mcp"})).json()["client_id"]
        before = await server.server.services.clients.find(client_id)
    async with start(settings()) as server:
        assert await server.server.services.clients.find(client_id) == before


async def test_the_audit_says_who_registered(start: Start) -> None:
    async with start(settings()) as server:
        client_id = (await register(server, PUBLIC)).json()["client_id"]
        events = audit(server)
    assert events == [
        {"event": "client_registered", "client": client_id, "kind": "dynamic", "name": "Inspector"}
    ]
