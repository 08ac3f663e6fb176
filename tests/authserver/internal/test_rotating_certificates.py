"""Leaf, key and authority of both sides rotate under load: no call fails, and the old authority's are out.

One step follows the other as soon as all callers have called in between, so that each meets each state of
the files, also the ones in which certificate and key do not fit together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2
import pytest
from tests.authserver.agreed import events
from tests.authserver.conftest import Clock
from tests.authserver.internal.conftest import EARLY, GATEWAY, LATE, Inside, exchange_form
from tests.peers.workload_authority import Leaf, WorkloadAuthority

from ostiary.certificates.settings import FileCertificates
from ostiary.credentials.upstream_token.internal_port import InternalPort, PortAddress
from ostiary.identity.spiffe import SpiffeId
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.proxies import Proxies

AUTHSERVER = GATEWAY.replace("gateway", "authserver")
EXCHANGE = "/internal/token-exchange"
CALLERS = 8
AUTHORITIES = 4
"""That follow one another."""
LONGEST = 60.0
"""Seconds until all have called, on a machine that has much to do."""


@dataclass
class Load:
    """Callers who never pause."""

    port: InternalPort
    form: dict[str, str]
    answered: list[list[int]] = field(default_factory=lambda: [[] for _ in range(CALLERS)])

    async def call(self, statuses: list[int]) -> None:
        while True:
            statuses.append((await self.port.exchange(self.form)).status)

    async def all_called(self) -> None:
        """Until each has been answered in a call that began since."""
        before = [len(statuses) for statuses in self.answered]
        async with asyncio.timeout(LONGEST):
            while any(len(now) < then + 2 for now, then in zip(self.answered, before, strict=True)):  # noqa: ASYNC110 - it is looked at from outside
                await asyncio.sleep(0.01)


def rotation(inside: Inside, old: WorkloadAuthority, new: WorkloadAuthority) -> Iterator[None]:
    """One file after the other; for who calls in between."""
    bundle = inside.directory / "authority.pem"
    bundle.write_text(old.own.pem + new.own.pem)
    yield
    for name, workload in (("server", AUTHSERVER), ("caller", GATEWAY)):
        leaf = new.issue(workload, begins=EARLY, ends=LATE)
        (inside.directory / f"{name}.pem").write_text(leaf.pem)
        yield
        (inside.directory / f"{name}.key").write_text(leaf.key_pem)
        yield
    new.write(bundle)
    yield


def caller_port(inside: Inside, leaf: Leaf, clock: Clock) -> InternalPort:
    """As the gateway asks, with files of its own."""
    files = [inside.directory / name for name in ("caller.pem", "caller.key", "authority.pem")]
    files[0].write_text(leaf.pem)
    files[1].write_text(leaf.key_pem)
    shown = FileCertificates(certificate=files[0], private_key=files[1], trust_bundle=files[2])
    address = PortAddress(
        canonical_url(inside.origin + EXCHANGE),
        shown,
        private_network=True,
        authserver_id=SpiffeId.parse(AUTHSERVER),
    )
    return InternalPort(address, Proxies(), clock)


async def test_certificates_keys_and_authorities_rotate_under_load_and_no_exchange_fails(
    inside: Inside, authority: WorkloadAuthority, clock: Clock
) -> None:
    token = (await (await inside.world.person()).tokens())["access_token"]
    form = exchange_form(token)
    leaf = inside.gateway
    load = Load(caller_port(inside, leaf, clock), form)
    async with AsyncExitStack() as running, asyncio.TaskGroup() as callers:
        running.callback(load.port.close)
        calls = [callers.create_task(load.call(statuses)) for statuses in load.answered]
        for number in range(AUTHORITIES):
            following = WorkloadAuthority(f"Following {number}", clock(), begins=EARLY, ends=LATE)
            stale = await running.enter_async_context(inside.workload(leaf))
            assert (await stale.post(EXCHANGE, data=form)).status_code == 200
            for _ in rotation(inside, authority, following):
                await load.all_called()
            open_before = await stale.post(EXCHANGE, data=form)
            assert (open_before.status_code, open_before.json()["error"]) == (401, "invalid_client")
            with pytest.raises(httpx2.TransportError):
                await inside.exchange(token, leaf)
            authority, leaf = following, following.issue(GATEWAY, begins=EARLY, ends=LATE)
        for call in calls:
            call.cancel()
    assert {status for statuses in load.answered for status in statuses} == {200}
    refused = [line["reason"] for line in events(inside.world.server, "workload_refused")]
    assert refused == ["foreign_root"] * AUTHORITIES, "of open connections alone, and none of a caller's"
