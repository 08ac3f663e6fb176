"""Requests of whoever proves to be no client: within a limit of their address, and few lines of the audit."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from tests.authserver.agreed import refusal
from tests.authserver.clients.signing import form, new_key, public, signed, statement
from tests.authserver.conftest import SECRET, Clock, Server, Start, basic_settings

from ostiary.authserver.background import Background
from ostiary.authserver.clients import authentication
from ostiary.authserver.clients.configured_clients import secret_digest
from ostiary.storage.errors import StorageError
from ostiary.storage.store import Store

FORM = {"grant_type": "client_credentials"}
CI = ("ci", SECRET)
SLOWED = 429
STRANGERS_FEW = 30
"""A limit that a test fills quickly."""


def few(**more: Any) -> dict[str, Any]:
    """A configuration with it, in which a proxy on this machine says who asks."""
    limits = {"token": f"{STRANGERS_FEW}/m", "authorize": f"{STRANGERS_FEW}/m"}
    return basic_settings(limits=limits, trusted_proxies=["127.0.0.1/32"], **more)


def behind(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.audit_file.read_text("utf-8").splitlines()]


async def statuses_of_new_names(
    server: Server, path: str, requests: int, *, at: str = "203.0.113.1"
) -> Counter[int]:
    """How as many requests are answered, each of another name and with a wrong secret."""
    found: Counter[int] = Counter()
    for number in range(requests):
        answered = await server.post(path, FORM, auth=(f"nobody-{number}", "wrong"), headers=behind(at))
        found[answered.status_code] += 1
    return found


@pytest.mark.parametrize(
    "path",
    ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization", "/oauth/par"],
)
async def test_ever_new_client_names_of_one_address_are_limited(start: Start, path: str) -> None:
    async with start(few()) as server:
        found = await statuses_of_new_names(server, path, STRANGERS_FEW + 20)
        elsewhere = await server.token(FORM, auth=CI, headers=behind("203.0.113.2"))
    assert found == {401: STRANGERS_FEW, SLOWED: 20}
    assert elsewhere.status_code == 200


async def test_ever_new_client_names_at_the_authorization_endpoint_are_limited(start: Start) -> None:
    async with start(few()) as server:
        found = Counter[int]()
        for number in range(STRANGERS_FEW + 20):
            asked = {"client_id": f"nobody-{number}", "response_type": "code"}
            seen = await server.http.get(server.issuer + "/oauth/authorize", params=asked)
            found[seen.status_code] += 1
    assert found == {400: STRANGERS_FEW, SLOWED: 20}


async def test_client_names_that_cannot_be_read_are_limited_alike(start: Start) -> None:
    async with start(few()) as server:
        asked = [
            await server.token(FORM, headers={"authorization": "Basic ?"}) for _ in range(STRANGERS_FEW + 1)
        ]
    assert asked[-2].status_code == 401
    assert asked[-1].status_code == SLOWED


async def test_strangers_do_not_hold_up_a_client_that_proved_itself_at_their_address(start: Start) -> None:
    async with start(few()) as server:
        at = behind("203.0.113.1")
        assert (await server.token(FORM, auth=CI, headers=at)).status_code == 200
        await statuses_of_new_names(server, "/oauth/token", STRANGERS_FEW + 1)
        assert (await server.token(FORM, auth=CI, headers=at)).status_code == 200


async def test_clients_that_prove_themselves_use_up_nothing_of_their_address(start: Start) -> None:
    clients = [
        {"client_id": f"ci-{number}", "client_secret": SECRET, "grant_types": ["client_credentials"]}
        for number in range(STRANGERS_FEW + 5)
    ]
    async with start(few(clients=clients)) as server:
        statuses = {
            (await server.token(FORM, auth=(client["client_id"], SECRET))).status_code for client in clients
        }
    assert statuses == {200}


async def test_one_household_has_one_limit_for_its_many_ipv6_addresses(start: Start) -> None:
    async with start(few()) as server:
        found = Counter[int]()
        for number in range(STRANGERS_FEW + 5):
            at = behind(f"2001:db8::{number:x}:1")
            found[(await server.token(FORM, auth=(f"n{number}", "wrong"), headers=at)).status_code] += 1
    assert found == {401: STRANGERS_FEW, SLOWED: 5}


# the audit


async def test_a_flood_of_strangers_does_not_fill_the_audit(start: Start, clock: Clock) -> None:
    """1,000 requests for tokens: 20 lines an event, and one that says how many more there were."""
    long = "n" * 1900
    async with start(few()) as server:
        for number in range(1000):
            await server.token(FORM, auth=(f"{long}{number}", "wrong"), headers=behind("203.0.113.1"))
        size = server.audit_file.stat().st_size
        clock.advance(61)
        await server.token(FORM, auth=("another", "wrong"), headers=behind("203.0.113.9"))
        told = lines(server)
    assert size < 40_000
    summaries = [line for line in told if "more" in line]
    assert summaries == [
        {
            "time": "2027-01-15T08:01:01.000+00:00",
            "event": event,
            "address": "203.0.113.1",
            "more": more,
            "seconds": 60,
        }
        for event, more in (
            ("client_refused", STRANGERS_FEW - 20),
            ("rate_limited", 1000 - STRANGERS_FEW - 20),
        )
    ]
    counted = Counter[str]()
    for line in told:
        counted[line["event"]] += line.get("more", 1)
    assert counted["client_refused"] + counted["rate_limited"] == 1001


async def test_a_flood_from_many_addresses_does_not_fill_the_audit(start: Start) -> None:
    async with start(few()) as server:
        for number in range(300):
            at = behind(f"198.51.{number // 250}.{number % 250}")
            await server.token(FORM, auth=("nobody", "wrong"), headers=at)
    told = [line for line in lines(server) if line["event"] == "client_refused"]
    assert len(told) == 201
    assert told[-1] | {"time": ""} == {"time": "", "event": "client_refused", "more": 100, "seconds": 60}


async def test_one_address_that_floods_does_not_hide_another(start: Start) -> None:
    async with start(few()) as server:
        for number in range(250):
            await server.token(FORM, auth=(f"n{number}", "wrong"), headers=behind("203.0.113.1"))
        await server.token(FORM, auth=("ci", "wrong"), headers=behind("203.0.113.2"))
        last = lines(server)[-1]
    assert (last["event"], last["client"], last["address"]) == ("client_refused", "ci", "203.0.113.2")


async def test_what_was_counted_is_told_when_a_stop_is_cut_short(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second signal comes while the first waits for what is under way."""
    reached = asyncio.Event()

    async def waits_for_ever(*_: Any, **__: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def serve() -> None:
        async with start(few()) as server:
            for number in range(STRANGERS_FEW):
                await server.token(FORM, auth=(f"n{number}", "wrong"), headers=behind("203.0.113.1"))
            monkeypatch.setattr(Background, "finish", waits_for_ever)
            stopped.append(server)

    stopped: list[Server] = []
    serving = asyncio.create_task(serve())
    await reached.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert lines(stopped[0])[-1]["more"] == STRANGERS_FEW - 20


async def test_what_was_granted_is_never_counted_instead_of_written(start: Start) -> None:
    async with start() as server:
        for _ in range(30):
            assert (await server.token(FORM, auth=CI)).status_code == 200
        assert sum(line["event"] == "token_issued" for line in lines(server)) == 30


async def test_a_flood_of_registrations_does_not_fill_the_audit(start: Start) -> None:
    async with start(basic_settings(registration={"dynamic": True})) as server:
        for _ in range(100):
            await server.http.post(f"{server.issuer}/oauth/register", json={"redirect_uris": []})
        told = lines(server)
    assert sum(line["event"] == "registration_refused" for line in told) == 20
    assert sum(line["event"] == "rate_limited" for line in told) == 20


# the same work for all


class Work:
    """What one request costs: reads of the store, secrets that were hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = Counter[str]()
        read = Store.read

        async def counted_read(store: Store, work: Any) -> Any:
            self.done["reads"] += 1
            return await read(store, work)

        def counted_hash(secret: str) -> bytes:
            self.done["hashes"] += 1
            return secret_digest(secret)

        monkeypatch.setattr(Store, "read", counted_read)
        monkeypatch.setattr(authentication, "secret_digest", counted_hash)

    async def of(self, server: Server, asked: dict[str, str], **options: Any) -> dict[str, int]:
        """A refused request's."""
        self.done.clear()
        assert (await server.token(asked, **options)).status_code == 401
        return dict(self.done)


async def test_an_unknown_client_costs_as_much_as_a_known_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the time of the answer tells which clients there are."""
    registered = {"redirect_uris": ["https://app.example.com/callback"]}
    async with start(basic_settings(registration={"dynamic": True})) as server:
        answered = await server.http.post(f"{server.issuer}/oauth/register", json=registered)
        stored = str(answered.json()["client_id"])
        work = Work(monkeypatch)
        secrets = [await work.of(server, FORM, auth=(name, "wrong")) for name in ("ci", "nobody", stored)]
        names = [await work.of(server, FORM | {"client_id": name}) for name in ("ci", "nobody")]
    assert secrets == [{"reads": 1, "hashes": 1}] * 3
    assert names == [{"reads": 1}] * 2


@pytest.mark.parametrize("kid", ["k2", None])
async def test_a_statement_of_an_unknown_client_is_answered_like_one_that_its_client_did_not_sign(
    start: Start, monkeypatch: pytest.MonkeyPatch, clock: Clock, kid: str | None
) -> None:
    key, other = new_key(), new_key("k2")
    robot = {"client_id": "robot", "grant_types": ["client_credentials"], "jwks": public(key)}
    ci = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}
    async with start(basic_settings(clients=[robot, ci])) as server:
        work = Work(monkeypatch)
        answers = []
        for name in ("robot", "nobody", "ci"):
            asked = form(signed(other, statement(name, server.issuer, clock.now), kid=kid))
            assert await work.of(server, asked) == {"reads": 1}
            answers.append((await server.token(asked)).json())
    assert answers == [answers[0]] * 3
    assert answers[0]["error"] == "invalid_client"


async def test_a_store_that_is_away_tells_no_known_client_from_an_unknown_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise StorageError("the disk is gone")

    async with start() as server:
        monkeypatch.setattr(Store, "read", away)
        answers = [await server.token(FORM, auth=(name, "wrong")) for name in ("ci", "nobody")]
        assert (await server.token(FORM, auth=CI)).status_code == 200
    told = refusal("the server cannot reach its store; nothing was spent", "temporarily_unavailable")
    assert [(answered.status_code, answered.json()) for answered in answers] == [(503, told)] * 2
