"""The port for workloads, with certificates that an agent gives to both sides."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from tests.authserver.conftest import Clock, Start
from tests.authserver.internal.conftest import EARLY, GATEWAY, LATE, Inside, exchange_form, opened
from tests.peers.workload_api import Agent
from tests.peers.workload_authority import Leaf, WorkloadAuthority

from ostiary.certificates.settings import AgentSocket, SpiffeCertificates
from ostiary.credentials.upstream_token.internal_port import InternalPort, PortAddress
from ostiary.identity.spiffe import SpiffeId
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.proxies import Proxies

AUTHSERVER = GATEWAY.replace("gateway", "authserver")


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


def leaf(authority: WorkloadAuthority, name: str) -> Leaf:
    return authority.issue(name, begins=EARLY, ends=LATE)


def give(
    agent: Agent, signs: WorkloadAuthority, believed: tuple[WorkloadAuthority, WorkloadAuthority]
) -> int:
    """Both sides' certificates. The serial number of the server's."""
    server = leaf(signs, AUTHSERVER)
    agent.give((AUTHSERVER, server, *believed), (GATEWAY, leaf(signs, GATEWAY), *believed))
    return server.certificate.serial_number


@asynccontextmanager
async def calling(port: InternalPort, form: dict[str, str]) -> AsyncIterator[list[int]]:
    """One call after the other. What they were answered."""
    answered: list[int] = []

    async def call() -> None:
        while True:
            answered.append((await port.exchange(form)).status)

    calls = asyncio.create_task(call())
    yield answered
    calls.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - it is looked at from outside
            await asyncio.sleep(0.01)


async def shown_by(inside: Inside) -> int:
    """The serial number of the server's certificate."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", inside.port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


async def exchanged(inside: Inside, port: InternalPort, give_others: Callable[[], int]) -> None:
    """Give both sides others, and wait until both show them."""
    before, serial = port.version(), give_others()

    async def both() -> bool:
        return port.version() != before and await shown_by(inside) == serial

    await until(both)


async def test_leaf_key_and_authority_are_exchanged_without_a_restart_and_without_a_refused_call(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path, agent: Agent
) -> None:
    following = WorkloadAuthority("Following", clock(), begins=EARLY, ends=LATE)
    give(agent, authority, (authority, authority))
    spiffe = {"source": "spiffe", "socket": agent.socket}
    internal = {"certificates": {**spiffe, "spiffe_id": AUTHSERVER}}
    async with opened(start, clock, authority, tmp_path, internal=internal) as inside:
        token = (await (await inside.world.person()).tokens())["access_token"]
        address = PortAddress(
            canonical_url(f"{inside.origin}/internal/token-exchange"),
            SpiffeCertificates(
                source="spiffe", socket=AgentSocket.parse(agent.socket), spiffe_id=SpiffeId.parse(GATEWAY)
            ),
            private_network=True,
            authserver_id=SpiffeId.parse(AUTHSERVER),
        )
        port = InternalPort(address, Proxies(), clock)
        form = exchange_form(token)
        async with calling(port, form) as answered:
            for signs, believed in (
                (authority, (authority, following)),
                (following, (authority, following)),
                (following, (following, following)),
            ):
                await exchanged(inside, port, lambda: give(agent, signs, believed))  # noqa: B023 - called at once
                answered += [(await port.exchange(form)).status for _ in range(3)]
        port.close()
    assert set(answered) == {200}
    assert agent.streams == 2
