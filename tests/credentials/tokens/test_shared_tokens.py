"""Replicas with one store: one fetches, the others take its token; without the store, each goes on alone."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.clock import Clock
from tests.credentials.conftest import CountingSource
from tests.credentials.token_server import TokenServer
from tests.peers.postgresql import PostgreSql

from ostiary.credentials import ClientCredentials, CredentialError, TokenExchange
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.cache import TokenCache, TokenKey
from ostiary.credentials.tokens.dpop_key import DpopKey
from ostiary.credentials.tokens.shared_cache_key import shared_key
from ostiary.credentials.tokens.stored_tokens import LEASE, StoredTokens
from ostiary.credentials.tokens.token import Token
from ostiary.identity.principal import Principal
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret
from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.sealing import KeyRing
from ostiary.storage.shared_tokens import Lease, SharedTokenTable

SERVER = canonical_url("https://mcp.example.com/mcp")
KEY = TokenKey("one")

REPLICA = """
import asyncio, json, sys
from ostiary.credentials import ClientCredentials
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.stored_tokens import StoredTokens
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret
from ostiary.storage.config import StorageSettings
import time

async def main():
    said = json.loads(sys.argv[1])
    stored = StoredTokens.of(StorageSettings.model_validate(said["storage"]), time.time)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await stored.prepare()
    secret = Secret("hunter2")
    credential = ClientCredentials(client_id="ostiary", client_secret=secret, token_url=said["token_url"])
    server = canonical_url("https://mcp.example.com/mcp")
    async with Runtime(shared=stored) as runtime:
        headers = await credential.attach(server, runtime=runtime).get(OutgoingRequest("POST", server))
    await stored.close()
    print(dict(headers)["authorization"], flush=True)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests is no store that is away."""
    monkeypatch.setattr("ostiary.storage.database.STATEMENT_TIMEOUT", 20.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The `storage:` of a store of the test's own."""
    key = {"file": str(tmp_path / "ostiary.key")}
    if request.param == "sqlite":
        return {"url": f"sqlite:///{tmp_path}/ostiary.db", "encryption_key": key}
    server: PostgreSql = request.getfixturevalue("postgresql")
    password = tmp_path / "password"
    password.write_text(server.password)
    return {"url": server.new_database(), "password": {"file": str(password)}, "encryption_key": key}


@pytest.fixture
def file_storage(tmp_path: Path) -> dict[str, Any]:
    return {
        "url": f"sqlite:///{tmp_path}/ostiary.db",
        "encryption_key": {"file": str(tmp_path / "ostiary.key")},
    }


class SharedSource(CountingSource):
    """A counting issuer whose tokens replicas may share."""

    shareable = True


@pytest.fixture
def source(clock: Clock) -> SharedSource:
    return SharedSource(clock)


@asynccontextmanager
async def replica(storage: dict[str, Any], clock: Clock) -> AsyncIterator[TokenCache]:
    """A process's tokens, with a connection of its own to the store."""
    stored = StoredTokens.of(StorageSettings.model_validate(storage), clock)
    await stored.prepare()
    try:
        async with TokenCache(clock, shared=stored) as cache:
            yield cache
    finally:
        await stored.close()


def value(token: Any) -> str:
    return str(token.value.reveal())


async def started(storage: dict[str, Any], issuer: TokenServer) -> asyncio.subprocess.Process:
    said = json.dumps({"storage": storage, "token_url": str(issuer.token_url)})
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REPLICA, said, stdin=pipe, stdout=pipe, env=dict(os.environ)
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_processes_that_start_at_once_fetch_one_token(
    storage: dict[str, Any], issuer: TokenServer
) -> None:
    async with asyncio.timeout(60):
        processes = await asyncio.gather(*(started(storage, issuer) for _ in range(3)))
        told = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [out for out, _ in told] == [b"Bearer token-1\n"] * 3
    assert issuer.issued == 1


async def test_there_is_one_fetch_in_each_lifetime(
    storage: dict[str, Any], source: SharedSource, clock: Clock
) -> None:
    async with replica(storage, clock) as one, replica(storage, clock) as other:
        for lifetime in range(1, 4):
            tokens = await asyncio.gather(one.get(KEY, source), other.get(KEY, source))
            assert {value(token) for token in tokens} == {f"token-{lifetime}"}
            clock.now += 3600
    assert source.fetches == 3


async def test_a_renewal_is_one_for_all(storage: dict[str, Any], source: SharedSource, clock: Clock) -> None:
    async with replica(storage, clock) as one, replica(storage, clock) as other:
        for cache in (one, other):
            await cache.get(KEY, source)
        clock.now += 3600 * 0.86
        for cache in (one, other):
            assert value(await cache.get(KEY, source)) == "token-1"
        await settled(one, other)
        for cache in (one, other):
            assert value(await cache.get(KEY, source)) == "token-2"
    assert source.fetches == 2


async def test_a_refused_token_is_not_taken_from_the_store_again(
    storage: dict[str, Any], source: SharedSource, clock: Clock
) -> None:
    async with replica(storage, clock) as one, replica(storage, clock) as other:
        tokens = [await cache.get(KEY, source) for cache in (one, other)]
        assert one.drop(KEY, tokens[0])
        assert value(await one.get(KEY, source)) == "token-2"
        assert other.drop(KEY, tokens[1])
        assert value(await other.get(KEY, source)) == "token-2"
    assert source.fetches == 2


async def test_a_fetch_that_fails_gives_the_turn_back(
    storage: dict[str, Any], source: SharedSource, clock: Clock
) -> None:
    async with replica(storage, clock) as one, replica(storage, clock) as other:
        source.down = True
        with pytest.raises(CredentialError):
            await one.get(KEY, source)
        source.down = False
        assert value(await other.get(KEY, source)) == "token-2"


async def test_the_lease_of_a_replica_that_died_ends(
    storage: dict[str, Any], source: SharedSource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.credentials.tokens.stored_tokens.LOOKS", (0.0, 0.0))
    async with replica(storage, clock) as one, replica(storage, clock) as other:
        await leave_a_lease(storage, clock)
        assert value(await one.get(KEY, source)) == "token-1"
        clock.now += 61
        assert value(await other.get(KEY, source)) == "token-2"
        async with replica(storage, clock) as third:
            assert value(await third.get(KEY, source)) == "token-2"


async def test_no_token_and_no_secret_stands_in_the_files(
    file_storage: dict[str, Any], issuer: TokenServer, tmp_path: Path
) -> None:
    stored = StoredTokens.of(StorageSettings.model_validate(file_storage), Clock())
    credential = credential_at(issuer)
    async with Runtime(shared=stored) as runtime:
        headers = await credential.attach(SERVER, runtime=runtime).get(OutgoingRequest("POST", SERVER))
        files = [path for path in tmp_path.iterdir() if path.name.startswith("ostiary.db")]
        contents = [path.read_bytes() for path in files]
    await stored.close()
    assert dict(headers) == {"authorization": "Bearer token-1"}
    assert {path.name for path in files} == {"ostiary.db", "ostiary.db-wal", "ostiary.db-shm"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert any(b"shared_tokens" in content for content in contents)
    for content in contents:
        assert b"token-1" not in content
        assert b"hunter2" not in content


async def test_a_replica_with_another_key_fetches_its_own_and_says_so(
    storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other_key = {**storage, "encryption_key": {"file": str(tmp_path / "other.key")}}
    async with replica(storage, clock) as one, replica(other_key, clock) as other:
        assert value(await one.get(KEY, source)) == "token-1"
        assert value(await other.get(KEY, source)) == "token-2"
        async with replica(storage, clock) as third:
            assert value(await third.get(KEY, source)) == "token-1"
    [sealed_with] = KeyRing.from_file(tmp_path / "ostiary.key").key_ids
    said = (
        "a token is fetched without the other replicas: the row of shared_tokens whose key_hash is "
        f"{shared_key(KEY).hash} is sealed under encryption key {sealed_with}, which the key file does not "
        "have: put its line back, in every replica"
    )
    assert caplog.messages == [said]


async def test_a_new_key_before_the_old_one_still_opens(
    storage: dict[str, Any], source: SharedSource, clock: Clock, tmp_path: Path
) -> None:
    async with replica(storage, clock) as one:
        await one.get(KEY, source)
    key = tmp_path / "ostiary.key"
    key.write_text(base64.urlsafe_b64encode(bytes(32)).decode() + "\n" + key.read_text())
    async with replica(storage, clock) as other:
        assert value(await other.get(KEY, source)) == "token-1"


async def test_a_locked_database_stops_nobody(
    file_storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    async with replica(file_storage, clock) as one:
        elsewhere = sqlite3.connect(tmp_path / "ostiary.db", isolation_level=None)
        elsewhere.execute("BEGIN EXCLUSIVE")
        try:
            assert value(await one.get(KEY, source)) == "token-1"
        finally:
            elsewhere.close()
    store = f"store sqlite:///{tmp_path}/ostiary.db"
    assert caplog.messages == [f"a token is fetched without the other replicas: {store}: database is locked"]


async def test_a_file_that_cannot_be_opened_stops_nobody(
    file_storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/nowhere/ostiary.db"
    async with replica({**file_storage, "url": url}, clock) as one:
        assert value(await one.get(KEY, source)) == "token-1"
    assert caplog.messages == [
        f"tokens are not shared for now: store {url}: No such file or directory",
        f"a token is fetched without the other replicas: store {url}: No such file or directory",
    ]


async def test_a_server_that_is_away_stops_nobody(
    file_storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        free_port = gone.getsockname()[1]
    url = f"postgresql://ostiary@127.0.0.1:{free_port}/ostiary"
    async with replica({**file_storage, "url": url}, clock) as one:
        assert value(await one.get(KEY, source)) == "token-1"
    assert [message.partition(f" store {url}: ")[0] for message in caplog.messages] == [
        "tokens are not shared for now:",
        "a token is fetched without the other replicas:",
    ]


async def test_a_server_that_does_not_let_us_in_stops_nobody(
    file_storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    postgresql: PostgreSql,
    tmp_path: Path,
) -> None:
    url, password = postgresql.new_database(), tmp_path / "password"
    password.write_text("wrong")
    storage = {**file_storage, "url": url, "password": {"file": str(password)}}
    async with replica(storage, clock) as one:
        assert value(await one.get(KEY, source)) == "token-1"
        password.write_text(postgresql.password)
        assert value(await one.get(TokenKey("two"), source)) == "token-2"
    reason = f'store {url}: password authentication failed for user "ostiary"'
    assert caplog.messages == [
        f"tokens are not shared for now: {reason}",
        f"a token is fetched without the other replicas: {reason}",
    ]


async def test_a_database_that_is_locked_from_the_start_stops_nobody(
    file_storage: dict[str, Any],
    source: SharedSource,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = StoredTokens.of(StorageSettings.model_validate(file_storage), clock)
    elsewhere = sqlite3.connect(tmp_path / "ostiary.db", isolation_level=None)
    elsewhere.execute("BEGIN EXCLUSIVE")
    async with TokenCache(clock, shared=stored) as cache:
        with monkeypatch.context() as patched:
            patched.setattr("ostiary.storage.database.STATEMENT_TIMEOUT", 0.2)
            assert value(await cache.get(KEY, source)) == "token-1"
        elsewhere.close()
        assert value(await cache.get(TokenKey("two"), source)) == "token-2"
    await stored.close()
    reason = f"store sqlite:///{tmp_path}/ostiary.db: it did not answer within 0.2 seconds"
    assert caplog.messages == [f"a token is fetched without the other replicas: {reason}"]


async def test_clients_with_different_secrets_do_not_share(
    file_storage: dict[str, Any], issuer: TokenServer, clock: Clock
) -> None:
    for number, secret in enumerate(("hunter2", "hunter3"), start=1):
        stored = StoredTokens.of(StorageSettings.model_validate(file_storage), clock)
        async with Runtime(shared=stored, clock=clock) as runtime:
            headers = credential_at(issuer, secret).attach(SERVER, runtime=runtime)
            assert dict(await headers.get(OutgoingRequest("POST", SERVER))) == {
                "authorization": f"Bearer token-{number}"
            }
        await stored.close()


async def test_what_is_not_shareable_is_fetched_by_each(file_storage: dict[str, Any], clock: Clock) -> None:
    source = CountingSource(clock)
    async with replica(file_storage, clock) as one, replica(file_storage, clock) as other:
        assert value(await one.get(KEY, source)) == "token-1"
        assert value(await other.get(KEY, source)) == "token-2"


async def test_a_token_that_is_bound_to_a_key_stays_in_its_process(
    file_storage: dict[str, Any], clock: Clock
) -> None:
    class Bound(SharedSource):
        async def fetch(self) -> Token:
            return replace(await super().fetch(), dpop_key=DpopKey(clock))

    source = Bound(clock)
    async with replica(file_storage, clock) as one, replica(file_storage, clock) as other:
        assert value(await one.get(KEY, source)) == "token-1"
        assert value(await other.get(KEY, source)) == "token-2"


async def test_an_exchanged_token_is_shared_for_its_caller_alone(
    file_storage: dict[str, Any], issuer: TokenServer, clock: Clock
) -> None:
    issuer.answer = exchanged
    exchange = TokenExchange(token_url=issuer.token_url, client_id="ostiary", client_secret=Secret("hunter2"))
    sent = []
    for _ in range(2):
        stored = StoredTokens.of(StorageSettings.model_validate(file_storage), clock)
        async with Runtime(shared=stored, clock=clock) as runtime:
            headers = exchange.attach(SERVER, runtime=runtime)
            for caller in (caller_named("ada"), caller_named("bob")):
                request = OutgoingRequest("POST", SERVER, principal=caller)
                sent.append(dict(await headers.get(request)))
        await stored.close()
    assert sent == [{"authorization": "Bearer for-ada"}, {"authorization": "Bearer for-bob"}] * 2
    assert [form["subject_token"] for form in issuer.forms] == ["ada", "bob"]


async def test_the_name_in_the_store_holds_no_secret_and_what_it_opens_is_bound_to_it(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    names = []
    for secret in ("hunter2", "hunter3"):
        file.write_text(secret)
        names.append(shared_key(TokenKey("client", Secret.from_file(file))))
    assert names[0].hash == names[1].hash
    assert names[0].bound_to != names[1].bound_to


def exchanged(request: web.Request, form: dict[str, str]) -> web.Response:
    return web.json_response(
        {
            "access_token": f"for-{form['subject_token']}",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 600,
        }
    )


def caller_named(name: str) -> Principal:
    return Principal(
        issuer="https://sso.example.com",
        subject=name,
        client_id=None,
        scopes=frozenset(),
        claims={},
        expires_at=1_900_000_000.0,
        token=Secret(name),
    )


def credential_at(issuer: TokenServer, secret: str = "hunter2") -> ClientCredentials:
    return ClientCredentials(client_id="ostiary", client_secret=Secret(secret), token_url=issuer.token_url)


async def leave_a_lease(storage: dict[str, Any], clock: Clock) -> None:
    """As a replica that was killed in the middle of its fetch."""
    settings = StorageSettings.model_validate(storage)
    table = SharedTokenTable(Database(settings), KeyRing.from_file(settings.encryption_key.path))
    assert await table.take(Lease(shared_key(KEY), "dead", clock.now + LEASE), seen=None, now=clock.now)
    await table.close()


async def settled(*caches: TokenCache) -> None:
    """Wait until no fetch is under way."""
    async with asyncio.timeout(20):
        while any(cache.fetching for cache in caches):  # noqa: ASYNC110 - the cache has no event for tests
            await asyncio.sleep(0.01)
