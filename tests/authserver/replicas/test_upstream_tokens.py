"""Upstream tokens of two hundred people, at two providers that end an account whose token is shown twice.

Four replicas are on one PostgreSQL, and one of them is killed again and again. Twenty minutes pass, by a
clock that all of them and both providers share: it goes on by itself, and is moved ahead whenever nobody
waits for an answer, for what is claimed is claimed by it, and asked for by the machine's. Certificates are
made before it is moved: TLS looks at the machine's clock, and would not have one that begins later. Nobody
signs in with a browser: the providers make the first tokens themselves, and a session begins with a code as
the interaction makes it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select
from tests.authserver.internal.conftest import exchange_form, token_hash
from tests.authserver.replicas.process import ReplicaProcess
from tests.peers.mcp_clients.client import free_port
from tests.peers.moved_clock import MovedClock
from tests.peers.oidc_provider.rotating_idp import CLIENT_ID, CLIENT_SECRET, RotatingIdp, rotating_idp
from tests.peers.postgresql import PostgreSql

from ostiary.authserver import authorization_codes
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.upstream_account import Identity, UpstreamAccount
from ostiary.authserver.upstream_grants.grant import GrantState
from ostiary.certificates.authority import make_authority
from ostiary.certificates.issued_files import IssuedFiles
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import CaDirectory, InternalCaCertificates
from ostiary.certificates.tls import ClientContexts
from ostiary.identity.spiffe import SpiffeId
from ostiary.oauth.client.pkce import s256
from ostiary.storage.config import StorageSettings
from ostiary.storage.schema import upstream_grants
from ostiary.storage.store import Store

PEOPLE = 200
IDPS = ("corp", "hub")
REPLICAS = 4
LIFETIME = 5
"""Seconds that a provider's access token lives."""
ROUNDS = 5
BUSY = 4
"""Of so many people one is asked for at two replicas at once."""
MOVED = 1200.0 / ROUNDS
"""Seconds that pass between two rounds: every token has ended, and so has whatever a dead replica claimed."""
KILLED_AFTER = 150
"""Uses of a token since the last time: by the machine's clock, a quick one would see nobody killed."""
TRIED_AGAIN_AFTER = 0.05
"""Seconds, at another replica, when a connection was cut."""
TRIED_IN_THE_END = 3
"""Times, for who was told to come later: a kill may cut the first, and then the second finds a claim."""
LONGEST = 60.0
"""Seconds for one answer, on a machine that has much to do."""
ISSUER = "http://127.0.0.1:9000"
RESOURCE = "https://mcp.example.com/mcp"
OWNER = "default/gateway"
DOMAIN = "ostiary.local"
VERIFIER = "v" * 43


def settings(idps: dict[str, RotatingIdp], internal: int, shown: IssuedFiles) -> dict[str, Any]:
    """Of one replica. internal: the port for workloads; shown: the certificate there."""
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "revalidate": "never"}
    return {
        "issuer": ISSUER,
        "internal": {
            "listen": f"127.0.0.1:{internal}",
            "trust_domain": DOMAIN,
            "certificates": {
                "source": "files",
                "certificate": str(shown.certificate),
                "private_key": str(shown.private_key),
                "trust_bundle": str(shown.trust_bundle),
            },
        },
        "upstream_idps": [{"name": name, "issuer": idp.issuer, **ours} for name, idp in idps.items()],
        "resources": [
            {
                "resource": RESOURCE,
                "owner": OWNER,
                "scopes": ["mcp"],
                "idps": ["corp", {"name": "hub", "use": "required"}],
                "servers": {"whoami": list(IDPS)},
            }
        ],
        "clients": [{"client_id": "app", "redirect_uris": ["https://app.example.com/cb"]}],
        "tokens": {"access": "1h"},
        "limits": {"token": "1000000/s"},
    }


@dataclass(frozen=True)
class Account:
    """One person's, at one provider."""

    person: int
    idp: str

    @property
    def subject(self) -> str:
        """Who its owner is there."""
        return f"{self.idp}-{self.person}"


class Replica(ReplicaProcess):
    """One of the four: it is asked for one account at a time, so that a kill cuts one renewal at most."""

    def __init__(
        self,
        directory: Path,
        clock: MovedClock,
        idps: dict[str, RotatingIdp],
        shown: IssuedFiles,
        storage: dict[str, Any],
    ) -> None:
        port, internal = free_port(), free_port()
        super().__init__(
            "workload_replica.py",
            directory,
            authserver_values=settings(idps, internal, shown),
            storage=storage,
            port=port,
            clock=str(clock.file),
        )
        self.token_endpoint = f"http://127.0.0.1:{port}/oauth/token"
        self.exchange_endpoint = f"https://127.0.0.1:{internal}/internal/token-exchange"
        self.lives = asyncio.Event()
        self.deaths = 0
        self.asked: Account | None = None
        self.is_asked = asyncio.Event()

    async def start(self) -> None:
        await super().start()
        self.lives.set()

    async def kill(self) -> None:
        self.lives.clear()
        self.deaths += 1
        await super().kill()


@dataclass
class Seen:
    """What happened, and what must not have."""

    outcomes: Counter[str] = field(default_factory=Counter)
    cut: set[Account] = field(default_factory=set)
    """Accounts that a replica was asked for when it was killed."""
    in_doubt: set[Account] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


@dataclass
class Fleet:
    """All that runs, and the people who use it."""

    replicas: list[Replica]
    idps: dict[str, RotatingIdp]
    store: Store
    clock: MovedClock
    http: aiohttp.ClientSession
    workload: aiohttp.ClientSession
    """Shows the gateway's certificate."""
    sessions: dict[int, str] = field(default_factory=dict)
    """Person → their token of ours."""
    wishes: asyncio.Queue[Account] = field(default_factory=asyncio.Queue)
    later: set[Account] = field(default_factory=set)
    """Accounts that are to be asked for again after a while."""
    signed_out: set[int] = field(default_factory=set)
    """People who have to sign in once more."""
    seen: Seen = field(default_factory=Seen)

    async def sign_in(self, people: Sequence[int]) -> None:
        """Each with an account at each provider."""
        given = {
            name: await idp.welcome([Account(number, name).subject for number in people])
            for name, idp in self.idps.items()
        }
        for index, number in enumerate(people):
            accounts = tuple(
                UpstreamAccount(
                    name,
                    idp.issuer,
                    Account(number, name).subject,
                    CLIENT_ID,
                    given[name][index],
                    identity=Identity(issuer=idp.issuer, subject=Account(number, name).subject),
                )
                for name, idp in self.idps.items()
            )
            self.sessions[number] = await self._redeemed(accounts)

    async def _redeemed(self, accounts: tuple[UpstreamAccount, ...]) -> str:
        identity = accounts[0].identity
        assert identity is not None
        agreed = AuthorizationGrant(
            client_id="app",
            identity=identity,
            resource=RESOURCE,
            owner=OWNER,
            scopes=("mcp",),
            auth_time=int(self.clock()),
            accounts=accounts,
            redirect_uri="https://app.example.com/cb",
            code_challenge=s256(VERIFIER),
        )
        code = await self.store.transaction(
            lambda connection: authorization_codes.new_code(
                connection, self.store, agreed, now=self.clock(), lifetime=60.0
            )
        )
        form = {
            "grant_type": "authorization_code",
            "client_id": "app",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": "https://app.example.com/cb",
        }
        living = next(replica for replica in self.replicas if replica.lives.is_set())
        async with self.http.post(living.token_endpoint, data=form) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["access_token"])

    async def live(self) -> None:
        """Round after round, while time passes."""
        await self.sign_in(range(PEOPLE))
        for number in range(ROUNDS):
            self.clock.advance(MOVED)
            await self._go_round(IDPS[number % len(IDPS)])
            await self._look_at_grants()
            await self.sign_in(sorted(self.signed_out))
            self.signed_out.clear()
        for _ in range(TRIED_IN_THE_END):
            self.clock.advance(MOVED)
            late, self.later = self.later, set()
            await self._ask_for(late)
            await self._look_at_grants()

    async def _go_round(self, idp: str) -> None:
        """Everybody uses their account there, some at two replicas at once; what has waited is asked for."""
        late, self.later = self.later, set()
        every = [Account(person, idp) for person in range(PEOPLE)]
        wanted = [account for account in every for _ in range(1 if account.person % BUSY else 2)]
        await self._ask_for([*wanted, *late])

    async def _ask_for(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            self.wishes.put_nowait(account)
        await self.wishes.join()

    async def ask_at(self, replica: Replica) -> None:
        """One account after the other."""
        while True:
            await replica.lives.wait()
            replica.asked = account = await self.wishes.get()
            replica.is_asked.set()
            deaths = replica.deaths
            try:
                await self._use(replica, account)
            except (aiohttp.ClientError, ConnectionError) as error:
                if replica.deaths == deaths:
                    self.seen.faults.append(f"{account}: nobody was killed, and yet {error!r}")
                    continue
                self.seen.outcomes["cut"] += 1
                await asyncio.sleep(TRIED_AGAIN_AFTER)
                self.wishes.put_nowait(account)
            finally:
                replica.asked = None
                replica.is_asked.clear()
                self.wishes.task_done()

    async def _use(self, replica: Replica, account: Account, rejected: str | None = None) -> None:
        """Get the token, and see whose it is."""
        began = self.clock()
        form = exchange_form(
            self.sessions[account.person],
            audience=account.idp,
            resource="whoami",
            rejected_token_hash=rejected,
        )
        async with self.workload.post(replica.exchange_endpoint, data=form) as answered:
            status, retry_after = answered.status, answered.headers.get("retry-after")
            answer = await answered.json()
        if status == 503 and retry_after is not None:
            self.seen.outcomes["later"] += 1
            if account not in self.seen.cut:
                self.seen.faults.append(f"{account} has to wait, and nobody was killed")
            self.later.add(account)
        elif status == 400 and answer["error"] == "reauthentication_required":
            self.seen.outcomes["to_be_connected"] += 1
            if account not in self.seen.cut:
                self.seen.faults.append(f"{account} has to be connected again, and nobody was killed")
            self.signed_out.add(account.person)
        elif status != 200:
            self.seen.faults.append(f"{account}: {status} {answer}")
        else:
            await self._show(replica, account, answer, began)

    async def _show(self, replica: Replica, account: Account, answer: dict[str, Any], began: float) -> None:
        token = answer["access_token"]
        subject = await self.idps[account.idp].subject(token)
        if subject is not None:
            self.seen.outcomes["used"] += 1
            if subject != account.subject:
                self.seen.faults.append(f"{account} was given the token of {subject}")
        elif self.clock() < began + answer["expires_in"]:
            self.seen.faults.append(f"{account} was given a token that has ended")
        else:  # it ended while this machine was busy, as a server would find
            self.seen.outcomes["ended"] += 1
            await self._use(replica, account, token_hash(token))

    async def kill_by_turns(self) -> None:
        """While it is asked for something, and start it again."""
        for replica in itertools.cycle(self.replicas):
            due = self.seen.outcomes["used"] + KILLED_AFTER
            while self.seen.outcomes["used"] < due:  # noqa: ASYNC110 - a sum, and no event
                await asyncio.sleep(0.01)
            await replica.lives.wait()
            while replica.asked is None:
                await replica.is_asked.wait()
            self.seen.cut.add(replica.asked)
            await replica.kill()
            await replica.start()

    async def _look_at_grants(self) -> None:
        """While nobody waits: whatever is claimed now was claimed by one that died."""
        row = upstream_grants.c
        unsure = select(row.account, row.idp).where(
            row.claim_holder.is_not(None) | (row.state == GrantState.IN_DOUBT)
        )
        for account, idp in await self.store.read(lambda connection: connection.execute(unsure).all()):
            self.seen.in_doubt.add(Account(int(account.rpartition("-")[2]), idp))


@asynccontextmanager
async def fleet(postgresql: PostgreSql, directory: Path) -> AsyncIterator[Fleet]:
    clock = MovedClock(directory / "moved")
    pki = CaDirectory(directory / "pki")
    authority = make_authority(pki, DOMAIN, now=clock())
    issued = IssuedFiles(directory / "authserver")
    replica_id = SpiffeId.parse(f"spiffe://{DOMAIN}/ns/default/sa/authserver")
    issued.write(authority.issue(replica_id, ["127.0.0.1"], now=clock()))
    os.environ["REPLICAS_PASSWORD"] = postgresql.password
    storage = {
        "url": postgresql.new_database(),
        "password": {"env": "REPLICAS_PASSWORD"},
        "encryption_key": {"file": str(directory / "ostiary.key")},
    }
    async with AsyncExitStack() as running:
        running.callback(os.environ.pop, "REPLICAS_PASSWORD")
        shown = open_certificates(InternalCaCertificates(source="internal_ca", directory=pki), owner=OWNER)
        running.callback(shown.close)
        patience = aiohttp.ClientTimeout(total=LONGEST)
        http = await running.enter_async_context(aiohttp.ClientSession(timeout=patience))
        connector = aiohttp.TCPConnector(ssl=ClientContexts(shown).current())
        workload = await running.enter_async_context(
            aiohttp.ClientSession(timeout=patience, connector=connector)
        )
        idps = {
            name: await running.enter_async_context(
                rotating_idp(f"{ISSUER}/oauth/callback/{name}", http, clock, lifetime=LIFETIME)
            )
            for name in IDPS
        }
        store = Store.of(StorageSettings.model_validate(storage))
        running.push_async_callback(store.close)
        replicas = [Replica(directory, clock, idps, issued, storage) for _ in range(REPLICAS)]
        for replica in replicas:
            running.push_async_callback(replica.kill)
        await replicas[0].start()  # it makes the key that seals, and the tables
        await asyncio.gather(*(replica.start() for replica in replicas[1:]))
        yield Fleet(replicas, idps, store, clock, http, workload)


async def test_nobody_gets_anothers_token_and_no_refresh_token_is_shown_twice(
    postgresql: PostgreSql, tmp_path: Path
) -> None:
    async with fleet(postgresql, tmp_path) as one:
        async with asyncio.TaskGroup() as running:
            beside = [running.create_task(one.ask_at(replica)) for replica in one.replicas]
            beside.append(running.create_task(one.kill_by_turns()))
            await one.live()
            for task in beside:
                task.cancel()
        told = [await idp.seen() for idp in one.idps.values()]
        kills = sum(replica.deaths for replica in one.replicas)
    seen = one.seen
    assert seen.faults == []
    assert not one.later
    refused = [who for idp in told for who, _ in idp.refused]
    assert set(refused) <= {account.subject for account in seen.in_doubt}, "shown twice, and nobody had died"
    assert seen.in_doubt <= seen.cut
    assert len(seen.in_doubt) <= kills
    assert kills > 3
    assert seen.outcomes["cut"] > 0, "nobody was asking when a replica died"
    assert sum(idp.refreshed for idp in told) > ROUNDS * PEOPLE - 2 * kills
    assert seen.outcomes["used"] > ROUNDS * PEOPLE
