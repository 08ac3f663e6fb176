"""What may be used once is used once, by whichever of two servers on one store it comes to first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from tests.authserver.agreed import (
    TV,
    approve,
    give_code,
    redemption,
    refresh,
    refusal,
    renewal,
    settings,
    sign_in,
)
from tests.authserver.conftest import Server, Start
from tests.peers.postgresql import PostgreSql

from ostiary.oauth.server.client import DEVICE_CODE
from ostiary.storage.schema import token_sessions

ISSUER = "http://127.0.0.1:9"
"""Both are one issuer; each is asked where it listens."""
ROUNDS = 15

Pair = Callable[..., contextlib.AbstractAsyncContextManager[tuple[Server, Server]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def replicas(request: pytest.FixtureRequest, start: Start, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Two servers on one SQLite file, or on one PostgreSQL."""
    storage: dict[str, Any] = {}
    if request.param == "postgresql":
        database: PostgreSql = request.getfixturevalue("postgresql")
        monkeypatch.setenv("STORE_PASSWORD", database.password)
        storage = {"url": database.new_database(), "password": {"env": "STORE_PASSWORD"}}

    @contextlib.asynccontextmanager
    async def pair(**more: Any) -> AsyncIterator[tuple[Server, Server]]:
        values = settings(issuer=ISSUER) | more
        async with start(values, storage=storage) as one, start(values, storage=storage) as other:
            yield one, other

    return pair


async def at_once(servers: tuple[Server, Server], form: dict[str, str]) -> list[httpx2.Response]:
    """The same token request to both; the good answer first."""
    answers = await asyncio.gather(*(server.token(form) for server in servers))
    return sorted(answers, key=lambda answered: answered.status_code)


async def test_one_use_across_replicas(replicas: Pair) -> None:
    """A code at both at once: one gives tokens, the other ends what it gave, as one of the two is a thief."""
    async with replicas() as servers:
        for _ in range(ROUNDS):
            code = await give_code(servers[0])
            good, replayed = await at_once(servers, redemption(code))
            assert good.status_code == 200
            assert replayed.json() == refusal("the code was used; what it gave is revoked")
            refused = await refresh(servers[1], good.json()["refresh_token"])
            assert refused.json() == refusal("the refresh token was revoked")
        living = select(func.count()).where(token_sessions.c.ended_at.is_(None))
        store = servers[0].server.services.store
        assert await store.read(lambda connection: connection.execute(living).scalar_one()) == 0


async def test_one_use_of_a_refresh_token_across_replicas(replicas: Pair) -> None:
    """Without a grace, the second is a thief."""
    async with replicas(tokens={"refresh_grace": "0s"}) as servers:
        for _ in range(ROUNDS):
            token = (await sign_in(servers[0]))["refresh_token"]
            good, reused = await at_once(servers, renewal(token))
            assert good.status_code == 200
            assert reused.json() == refusal(
                "the refresh token was used before; all that belongs to it is revoked"
            )
            assert (await refresh(servers[0], good.json()["refresh_token"])).status_code == 400


async def test_an_honest_client_that_asks_both_replicas_loses_nothing(replicas: Pair) -> None:
    """Within the grace both give the same successor, and it works at either."""
    async with replicas() as servers:
        token = (await sign_in(servers[0]))["refresh_token"]
        for _ in range(ROUNDS):
            answers = await at_once(servers, renewal(token))
            assert [answered.status_code for answered in answers] == [200, 200]
            (token,) = {answered.json()["refresh_token"] for answered in answers}


async def test_one_use_of_a_device_code_across_replicas(replicas: Pair) -> None:
    async with replicas(clients=[TV]) as servers:
        for _ in range(ROUNDS):
            asked = await servers[0].post("/oauth/device_authorization", {"client_id": "tv", "scope": "mcp"})
            given = asked.json()
            await approve(servers[0], given["user_code"])
            form = {"grant_type": DEVICE_CODE, "device_code": given["device_code"], "client_id": "tv"}
            answers = await at_once(servers, form)
            assert [answered.status_code for answered in answers] == [200, 400]


async def test_a_token_of_one_replica_is_known_to_the_other(replicas: Pair) -> None:
    async with replicas() as (one, other):
        tokens = await sign_in(one)
        await other.post("/oauth/revoke", {"token": tokens["access_token"], "client_id": "app"})
        refused = await refresh(one, tokens["refresh_token"])
    assert refused.json() == refusal("the refresh token was revoked")
