"""Two replicas on one PostgreSQL, killed by turns under load while their keys rotate.

Whatever is used once is used once; whoever was given a refresh token can go on with it; no token that is
good is refused.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.authserver.replicas.process import ReplicaProcess
from tests.peers.mcp_clients.client import free_port
from tests.peers.postgresql import PostgreSql

from ostiary.authserver import authorization_codes
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.identity.key_set import KeySet, read_key_set
from ostiary.oauth.client.pkce import s256
from ostiary.oauth.errors import InvalidToken
from ostiary.storage.config import StorageSettings
from ostiary.storage.store import Store

PEOPLE = 12
KILLS = 6
RUNS_BETWEEN = 0.8
"""Seconds for which both replicas run before one of them dies."""
PATIENCE = 60.0
RESOURCE = "https://mcp.example.com/mcp"
ISSUER = "http://127.0.0.1:9000"
IDP = "https://corp.example.com"
VERIFIER = "v" * 43
SECRET = "correct-horse-battery-staple-4711"


def settings() -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "upstream_idps": [{"name": "corp", "issuer": IDP, "client_id": "ostiary", "revalidate": "never"}],
        "resources": [
            {"resource": RESOURCE, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]}
        ],
        "clients": [
            {"client_id": "app", "redirect_uris": ["https://app.example.com/cb"]},
            {
                "client_id": "rs",
                "client_secret": SECRET,
                "token_endpoint_auth_method": "client_secret_post",
                "grant_types": ["client_credentials"],
                "resources": [RESOURCE],
            },
        ],
        "tokens": {"refresh_grace": "60s"},
        "limits": {"token": "1000000/s"},
    }


class Replica(ReplicaProcess):
    """One of the two."""

    def __init__(self, directory: Path, storage: dict[str, Any]) -> None:
        port = free_port()
        super().__init__("replica.py", directory, port=port, authserver_values=settings(), storage=storage)
        self.origin = f"http://127.0.0.1:{port}"


@dataclass
class Seen:
    """What happened, and what must not have."""

    refreshes: int = 0
    redeemed: Counter[str] = field(default_factory=Counter)
    """Code → how often it gave tokens."""
    successors: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Refresh token → what it gave."""
    kids: set[str] = field(default_factory=set)
    broken: int = 0
    """Requests whose replica died before it answered."""
    faults: list[str] = field(default_factory=list)


class Crowd:
    """People whose clients redeem and refresh at whichever replica answers."""

    def __init__(self, replicas: list[Replica], store: Store, http: aiohttp.ClientSession) -> None:
        self._replicas = replicas
        self._store = store
        self._http = http
        self._key_sets: dict[str, KeySet] = {}
        self._chance = random.Random(4711)
        self.seen = Seen()
        self.over = False

    async def person(self, number: int) -> None:
        """Sign in again and again, and refresh in between."""
        while not self.over:
            token = await self._sign_in(f"person-{number}")
            for _ in range(self._chance.randrange(5, 30)):
                if token is None or self.over:
                    break
                token = await self._refresh(token)

    async def _sign_in(self, subject: str) -> str | None:
        code = await self._new_code(subject)
        twice = self._chance.random() < 0.1
        form = {
            "grant_type": "authorization_code",
            "client_id": "app",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": "https://app.example.com/cb",
        }
        answers = await asyncio.gather(
            *(self._post("/oauth/token", form, at=at) for at in (self._replicas if twice else [None]))
        )
        given = [answer for status, answer in answers if status == 200]
        self.seen.redeemed[code] += len(given)
        self._expect_only(answers, {"invalid_grant"} if twice else {"invalid_grant", "broken"})
        if (
            twice or not given
        ):  # a replay ends the session; a redemption whose answer got lost is not tried again
            return None
        await self._use(given[0]["access_token"])
        refresh_token: str = given[0]["refresh_token"]
        return refresh_token

    async def _refresh(self, token: str) -> str | None:
        form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token}
        at_once = self._replicas if self._chance.random() < 0.1 else [None]
        answers = await asyncio.gather(*(self._insist("/oauth/token", form, at=at) for at in at_once))
        for status, answer in answers:
            if status != 200:
                self.seen.faults.append(f"a refresh token was refused: {status} {answer}")
                return None
            self.seen.successors[token].add(answer["refresh_token"])
            self.seen.refreshes += 1
        await self._use(answers[0][1]["access_token"])
        refresh_token: str = answers[0][1]["refresh_token"]
        return refresh_token

    async def _use(self, access_token: str) -> None:
        """As a resource server does that keeps key sets, and as one that asks."""
        jwt = read_jwt(access_token)
        self.seen.kids.add(str(jwt.kid))
        for replica in self._replicas:
            keys = self._key_sets.get(replica.origin)
            if keys is None or not keys.has(str(jwt.kid)):
                keys = await self._keys_of(replica)
            try:
                if keys is not None:
                    verify(jwt, keys)
            except InvalidToken as refused:
                self.seen.faults.append(f"{replica.origin} does not publish its key: {refused.detail}")
        status, answer = await self._insist(
            "/oauth/introspect", {"token": access_token, "client_id": "rs", "client_secret": SECRET}
        )
        if status != 200 or not answer.get("active"):
            self.seen.faults.append(f"a good token is not active: {status} {answer}")

    async def _keys_of(self, replica: Replica) -> KeySet | None:
        """Its keys; None while it is dead."""
        try:
            async with self._http.get(f"{replica.origin}/.well-known/jwks.json") as answer:
                self._key_sets[replica.origin] = read_key_set(await answer.json())
        except aiohttp.ClientError:
            return None
        return self._key_sets[replica.origin]

    async def _new_code(self, subject: str) -> str:
        """As the interaction makes it when its person has agreed."""
        now = time.time()
        identity = Identity(issuer=IDP, subject=subject)
        tokens = UpstreamTokens(access_token=f"at-{subject}", refresh_token=f"rt-{subject}")
        authorized = AuthorizationGrant(
            client_id="app",
            identity=identity,
            resource=RESOURCE,
            owner="default/gateway",
            scopes=("mcp",),
            auth_time=int(now),
            accounts=(UpstreamAccount("corp", IDP, subject, "ostiary", tokens, identity=identity),),
            redirect_uri="https://app.example.com/cb",
            code_challenge=s256(VERIFIER),
        )
        return await self._store.transaction(
            lambda connection: authorization_codes.new_code(
                connection, self._store, authorized, now=now, lifetime=60.0
            )
        )

    async def _insist(
        self, path: str, form: dict[str, str], *, at: Replica | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask until somebody answers, as a client does whose connection broke."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, answer = await self._post(path, form, at=at)
            if answer.get("error") not in {"broken", "temporarily_unavailable"}:
                return status, answer
            at = None
            await asyncio.sleep(0.02)
        return 0, {"error": "nobody answered"}

    async def _post(
        self, path: str, form: dict[str, str], *, at: Replica | None = None
    ) -> tuple[int, dict[str, Any]]:
        replica = at or self._chance.choice(self._replicas)
        try:
            async with self._http.post(replica.origin + path, data=form) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, ConnectionError):
            self.seen.broken += 1
            return 0, {"error": "broken"}

    def _expect_only(self, answers: list[tuple[int, dict[str, Any]]], errors: set[str]) -> None:
        for status, answer in answers:
            if status != 200 and answer["error"] not in errors | {"broken", "temporarily_unavailable"}:
                self.seen.faults.append(f"a code was refused: {status} {answer}")


@asynccontextmanager
async def view(postgresql: PostgreSql, directory: Path) -> AsyncIterator[tuple[list[Replica], Store]]:
    """Two replicas, and the store that they share."""
    os.environ["REPLICAS_PASSWORD"] = postgresql.password
    storage = {
        "url": postgresql.new_database(),
        "password": {"env": "REPLICAS_PASSWORD"},
        "encryption_key": {"file": str(directory / "ostiary.key")},
    }
    store = Store.of(StorageSettings.model_validate(storage))
    replicas = [Replica(directory, storage) for _ in range(2)]
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield replicas, store
    finally:
        await asyncio.gather(*(replica.kill() for replica in replicas))
        await store.close()
        del os.environ["REPLICAS_PASSWORD"]


async def test_replicas_killed_by_turns_lose_nothing(postgresql: PostgreSql, tmp_path: Path) -> None:
    async with (
        view(postgresql, tmp_path) as (replicas, store),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http,
    ):
        crowd = Crowd(replicas, store, http)
        people = [asyncio.create_task(crowd.person(number)) for number in range(PEOPLE)]
        for turn in range(KILLS):
            await asyncio.sleep(RUNS_BETWEEN)
            await replicas[turn % 2].kill()
            await replicas[turn % 2].start()
        crowd.over = True
        await asyncio.gather(*people)
    seen = crowd.seen
    assert seen.faults == []
    assert max(seen.redeemed.values()) == 1
    assert {len(given) for given in seen.successors.values()} == {1}
    assert len(seen.kids) > 2, "the keys did not rotate"
    assert seen.broken > 0, "nobody was asking when a replica died"
    assert seen.refreshes > 100
