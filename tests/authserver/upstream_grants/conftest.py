"""Replicas on one store, and a person with an account at a provider that minds its refresh tokens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from tests.authserver.agreed import APP
from tests.authserver.conftest import RESOURCE, Clock
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp, little_idp
from tests.peers.postgresql import PostgreSql

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.authserver.idps.idp import LoginOptions
from ostiary.authserver.server.services import Services
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, find
from ostiary.authserver.upstream_grants.upsert import upsert
from ostiary.storage.config import StorageSettings
from ostiary.storage.schema import users

ISSUER = "https://auth.example.com"
OWNER = "default/gateway"
USER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
async def idp(clock: Clock) -> AsyncIterator[LittleIdp]:
    async with little_idp(clock) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The `storage:` part, of each kind."""
    key = {"encryption_key": {"file": "ostiary.key"}}
    if request.param == "sqlite":
        return {"url": "sqlite:///ostiary.db"} | key
    server: PostgreSql = request.getfixturevalue("postgresql")
    monkeypatch.setenv("STORE_PASSWORD", server.password)
    return {"url": server.new_database(), "password": {"env": "STORE_PASSWORD"}} | key


Replica = Callable[..., Awaitable[Services]]


@pytest.fixture
async def replica(
    storage: dict[str, Any], idp: LittleIdp, clock: Clock, tmp_path: Path
) -> AsyncIterator[Replica]:
    """The parts of one more server on the same store."""
    async with contextlib.AsyncExitStack() as stack:

        async def started(**entry: Any) -> Services:
            corp = {"name": "corp", "issuer": idp.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            settings = {
                "issuer": ISSUER,
                "upstream_idps": [corp | entry],
                "resources": [{"resource": RESOURCE, "owner": OWNER, "idps": ["corp"]}],
                "clients": [APP],
            }
            context = {"insecure_inline_secrets": True, "base_directory": tmp_path}
            server = AuthServer(
                AuthServerSettings.model_validate(settings, context=context),
                storage=StorageSettings.model_validate(storage, context=context),
                audit=tmp_path / "audit.jsonl",
                clock=clock,
            )
            return (await stack.enter_async_context(server)).services

        yield started


async def new_user(services: Services, user_id: str = USER) -> None:
    """Somebody who signed in once."""
    row = insert(users).values(
        id=user_id, issuer="https://corp", subject=user_id, sealed=b"", created_at=0.0, seen_at=0.0
    )
    await services.store.transaction(lambda connection: connection.execute(row))


async def brought(services: Services, idp: LittleIdp) -> UpstreamAccount:
    """What a login brings."""
    at = services.idps["corp"]
    left = await at.begin(
        state="the-state", redirect_uri=f"{ISSUER}/oauth/callback/corp", options=LoginOptions()
    )
    return await at.complete(idp.approve(left.url), left.memory, now=services.clock())


async def kept(
    services: Services, connected: UpstreamAccount, *, user_id: str = USER, owner: str = OWNER
) -> str:
    """The id of the grant that keeps it."""
    now = services.clock()
    return await services.store.transaction(
        lambda connection: upsert(
            connection, services.store, user_id=user_id, owner=owner, account=connected, now=now
        )
    )


async def connect(services: Services, idp: LittleIdp) -> str:
    """A new person with an account: the grant's id."""
    await new_user(services)
    return await kept(services, await brought(services, idp))


async def grant(services: Services, grant_id: str) -> UpstreamGrant:
    """As it stands now."""
    found = await services.store.read(lambda connection: find(connection, services.store, grant_id))
    assert found is not None
    return found
