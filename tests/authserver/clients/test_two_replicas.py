"""Clients at two replicas with one PostgreSQL: known at both, and what is taken once is taken once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text
from tests.authserver.clients.conftest import REDIRECT, Site
from tests.authserver.clients.signing import form, new_key, public, signed, statement
from tests.authserver.conftest import Clock, Server, Start, basic_settings
from tests.peers.postgresql import PostgreSql

from ostiary.authserver.clients import registration_limit as room

KEY = new_key()
ISSUER = "https://auth.example.com"
MACHINE = {"client_id": "robot", "grant_types": ["client_credentials"], "jwks": public(KEY)}

Pair = Callable[[dict[str, Any]], contextlib.AbstractAsyncContextManager[tuple[Server, Server]]]


@pytest.fixture
def pair(start: Start, postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setenv("STORE_PASSWORD", postgresql.password)
    storage = {"url": postgresql.new_database(), "password": {"env": "STORE_PASSWORD"}}

    @contextlib.asynccontextmanager
    async def started(settings: dict[str, Any]) -> AsyncIterator[tuple[Server, Server]]:
        values = settings | {"issuer": ISSUER}
        async with start(values, storage=storage) as one, start(values, storage=storage) as other:
            yield one, other

    return started


async def test_assertion_replay_at_two_replicas_at_once(pair: Pair, clock: Clock) -> None:
    async with pair(basic_settings(clients=[MACHINE])) as replicas:
        for number in range(10):
            token = signed(KEY, statement("robot", ISSUER, clock(), jti=str(number)))
            answers = await asyncio.gather(*(server.token(form(token)) for server in replicas))
            assert sorted(answered.status_code for answered in answers) == [200, 401]


async def test_a_client_that_registered_at_one_is_known_at_the_other(pair: Pair, clock: Clock) -> None:
    settings = basic_settings(registration={"dynamic": True, "dynamic_most": 3})
    registered = []
    async with pair(settings) as (one, other):
        for server in (one, other, one, other):
            clock.advance(1)
            said = {"redirect_uris": [REDIRECT]}
            answered = await server.http.post(f"{server.issuer}/oauth/register", json=said)
            registered.append(answered.json()["client_id"])
        known = [await other.server.services.clients.find(client_id) for client_id in registered]
    assert [client is not None for client in known] == [False, True, True, True]


async def test_a_client_that_is_let_in_at_one_while_the_other_makes_room_stays(
    pair: Pair, clock: Clock
) -> None:
    async def register(server: Server) -> Any:
        clock.advance(1)
        said = {"redirect_uris": [REDIRECT]}
        answered = await server.http.post(f"{server.issuer}/oauth/register", json=said)
        return answered.json().get("client_id")

    def let_in_slowly(connection: Connection) -> None:
        room.let_in(connection, oldest, now=clock())
        connection.execute(text("SELECT pg_sleep(0.5)"))

    async with pair(basic_settings(registration={"dynamic": True, "dynamic_most": 2})) as (one, other):
        oldest, _ = await register(one), await register(one)
        letting_in = asyncio.create_task(one.server.services.store.transaction(let_in_slowly))
        await asyncio.sleep(0.2)
        await register(other)
        await letting_in
        assert await other.server.services.clients.find(oldest) is not None


async def test_a_document_that_one_fetched_is_known_at_the_other(pair: Pair, site: Site) -> None:
    async with pair(site.settings()) as (one, other):
        for server in (one, other):
            assert await server.server.services.clients.find(site.client_id) is not None
    assert site.asked == ["/client.json"]
