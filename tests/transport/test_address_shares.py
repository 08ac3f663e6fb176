"""One address takes no connection of another, however many it opens."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

from tests.transport.conftest import Behind, StartListener, call, get

from ostiary.transport.address_shares import AddressShares
from ostiary.transport.byte_budget import BudgetsByOwner
from ostiary.transport.forwarded import NO_PROXIES, TrustedProxies
from ostiary.transport.limits import Limits


async def test_one_address_that_opens_connection_after_connection_closes_its_own(
    start_listener: StartListener,
) -> None:
    connect = await start_listener(Limits(connections=100, address_connections=3))
    silent = [await connect() for _ in range(3)]
    for client in silent:
        await client.send(call("hello"))
        assert await client.answer() == "200 hello"
    newcomer = await connect()
    await newcomer.send(call("hello"))
    assert await newcomer.answer() == "200 hello"
    assert await silent[0].rest() == b""
    assert not any(client.reader.at_eof() for client in silent[1:])


async def test_one_address_whose_connections_are_all_busy_gets_no_more(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener(Limits(connections=100, address_connections=2))
    busy = [await connect() for _ in range(2)]
    for client in busy:
        await client.send(call("wait"))
    async with asyncio.timeout(5):
        while len(behind.seen) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert (await (await connect()).rest()).startswith(b"HTTP/1.1 503 ")
    behind.let_go.set()
    assert [await client.answer() for client in busy] == ["200 wait", "200 wait"]
    again = await connect()
    await again.send(get("/"))
    assert (await again.answer()).startswith("200 ")


def test_addresses_are_counted_apart_and_a_household_as_one() -> None:
    shares = AddressShares(2, NO_PROXIES)
    ones = [object() for _ in range(4)]
    assert len(shares.join("203.0.113.1", ones[0])) == 1
    assert len(shares.join("203.0.113.2", ones[1])) == 1
    assert len(shares.join("2001:db8::1", ones[2])) == 1
    assert shares.join("2001:db8::2", ones[3]) == {ones[2], ones[3]}
    shares.leave("2001:db8::1", ones[2])
    shares.leave("2001:db8::1", ones[2])
    assert shares.join("2001:db8::3", ones[2]) == {ones[2], ones[3]}


def test_connections_of_a_proxy_are_nobody_s() -> None:
    shares = AddressShares(1, TrustedProxies([ip_network("10.0.0.0/8")]))
    assert not any(shares.join("10.0.0.1", object()) for _ in range(5))
    shares.leave("10.0.0.1", object())


class Holding:
    """Somebody for whom bytes are held."""

    def __init__(self) -> None:
        self.has_given_way = False

    def evict(self) -> None:
        self.has_given_way = True


def test_all_callers_together_have_a_bound_and_who_holds_most_gives_way() -> None:
    budgets = BudgetsByOwner(100, together=200)
    holders = {name: Holding() for name in ("ann", "bob", "cleo")}
    for name, size in (("ann", 90), ("bob", 80), ("cleo", 20)):
        budgets.of(name).hold(holders[name], size)
    budgets.make_room()
    assert not any(holder.has_given_way for holder in holders.values())
    budgets.of("cleo").hold(Holding(), 20)
    budgets.make_room()
    assert [name for name, holder in holders.items() if holder.has_given_way] == ["ann"]
    assert budgets.of("ann").total == 0
