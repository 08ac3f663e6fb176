"""One fetch per credential and lifetime, and no call that waits for or fails on an expiry.

Also two traps: a token that is minted for each call and not used, a lock that is held across the request.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from aiohttp import web
from tests.clock import Clock
from tests.credentials.token_server import TokenServer

from ostiary.credentials import ClientCredentials
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.client_credentials.headers import ClientCredentialsHeaders
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
CREDENTIALS, USERS, LIFETIME = 64, 200, 3600


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
async def issuer(clock: Clock) -> AsyncIterator[TokenServer]:
    """Numbers the tokens of each client."""
    server = TokenServer()
    server.answer = lambda request, form: web.json_response(
        {
            "access_token": f"{form['client_id']}-{server.by_client[form['client_id']]}",
            "token_type": "Bearer",
            "expires_in": LIFETIME,
        }
    )
    async with server.running():
        yield server


def attached(issuer: TokenServer, runtime: Runtime, client_id: str) -> ClientCredentialsHeaders:
    settings = ClientCredentials(client_id=client_id, token_url=issuer.token_url)
    return settings.attach(SERVER, runtime=runtime)


async def settled(runtime: Runtime) -> None:
    """When no fetch is under way."""
    async with asyncio.timeout(30):
        while runtime.tokens.fetching:  # noqa: ASYNC110 - the cache has no event for tests
            await asyncio.sleep(0.001)


async def test_thousands_of_users_across_three_expiries_cost_one_fetch_each_time(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    credentials = [attached(issuer, runtime, f"client-{number}") for number in range(CREDENTIALS)]
    users = [credential for credential in credentials for _ in range(USERS)]
    first = await asyncio.gather(*(user.get(REQUEST) for user in users))
    assert set(issuer.by_client.values()) == {1}
    assert len(set(first)) == CREDENTIALS
    for _ in range(68):  # to 272 %: three renewals, each at 89 % at the latest, and a fourth not before 280 %
        clock.now += LIFETIME / 25
        assert all(user.ready(REQUEST) is not None for user in users)
        await settled(runtime)
    assert len(issuer.by_client) == CREDENTIALS
    assert set(issuer.by_client.values()) == {4}


async def test_an_issuer_that_is_down_for_most_of_each_lifetime_fails_no_call(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    issued_at: dict[str, float] = defaultdict(float)
    refused: Counter[str] = Counter()
    give = issuer.answer

    def sometimes(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
        if clock.now < issued_at[form["client_id"]] + 0.8 * LIFETIME:
            refused[form["client_id"]] += 1
            return web.Response(status=503)
        issued_at[form["client_id"]] = clock.now
        answer = give(request, form)
        assert isinstance(answer, web.StreamResponse)
        return answer

    issuer.answer = sometimes
    credentials = [attached(issuer, runtime, f"client-{number}") for number in range(8)]
    await asyncio.gather(*(credential.get(REQUEST) for credential in credentials))
    began = clock.now
    while clock.now < began + 3 * LIFETIME:
        clock.now += LIFETIME / 200
        assert all(credential.ready(REQUEST) is not None for credential in credentials)
        await settled(runtime)
    given = issuer.by_client - refused
    assert set(given.values()) <= {3, 4}
    assert 0 < refused.total() < 8 * 3 * 20  # repeated, and not on every call


@asynccontextmanager
async def mcp_server(gate: asyncio.Event) -> AsyncIterator[tuple[str, list[str]]]:
    """A server whose /slow answers when the gate is open, and the credentials that it saw."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["authorization"])
        if request.path == "/slow":
            await gate.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(issuer: TokenServer, runtime: Runtime, url: str) -> AsyncIterator[httpx2.AsyncClient]:
    settings = ClientCredentials(client_id="agent", token_url=issuer.token_url)
    auth = CredentialAuth(settings, server_url=url, runtime=runtime)
    async with httpx2.AsyncClient(auth=auth, trust_env=False, base_url=url) as client:
        yield client


async def test_a_token_is_minted_once_and_is_the_one_that_is_sent(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    async with mcp_server(asyncio.Event()) as (url, seen), client_of(issuer, runtime, url) as client:
        for _ in range(50):
            await client.post("/mcp")
        assert seen == ["Bearer agent-1"] * 50
        clock.now += LIFETIME
        await client.post("/mcp")  # on the same connection: the new token, not the one that it began with
        assert seen[50:] == ["Bearer agent-2"]
    assert issuer.by_client["agent"] == 2


async def test_a_request_that_hangs_stops_no_other_and_leaves_nothing_locked(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    gate = asyncio.Event()
    async with mcp_server(gate) as (url, seen), client_of(issuer, runtime, url) as client:
        hanging = asyncio.create_task(client.post("/slow"))
        while not seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(client.post("/mcp") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        clock.now += LIFETIME
        async with asyncio.timeout(10):
            assert (await client.post("/mcp")).status_code == 200
        gate.set()
    assert seen == ["Bearer agent-1"] * 21 + ["Bearer agent-2"]


async def test_a_fetch_that_hangs_stops_only_those_who_need_it(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    one, other = (attached(issuer, runtime, name) for name in ("one", "other"))
    give, gate = issuer.answer, asyncio.Event()

    async def slowly(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
        if form["client_id"] == "one":
            await gate.wait()
        answer = give(request, form)
        assert isinstance(answer, web.StreamResponse)
        return answer

    issuer.answer = slowly
    waiting = asyncio.create_task(one.get(REQUEST))
    async with asyncio.timeout(10):
        assert await other.get(REQUEST) == (("authorization", "Bearer other-1"),)
    gate.set()
    assert await waiting == (("authorization", "Bearer one-1"),)
