"""Where an outgoing connection may lead, by its address."""

from __future__ import annotations

import ipaddress

import pytest

from ostiary.transport.addresses import may_reach


def reachable(address: str, *, private_network: bool = False) -> bool:
    return may_reach(ipaddress.ip_address(address), loopback=False, private_network=private_network)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_a_public_address_is_reached_however_it_is_written(address: str) -> None:
    assert reachable(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::127.0.0.1",
        "2002:7f00:1::1",
        "2a00:1450::200:5efe:127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "64:ff9b::10.0.0.1",
        "fd00::1",
    ],
)
def test_an_inner_address_is_reached_only_where_the_edge_allows_it(address: str) -> None:
    assert not reachable(address)
    assert reachable(address, private_network=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
    ],
)
def test_a_metadata_server_is_reached_by_no_edge(address: str) -> None:
    assert not reachable(address)
    assert not reachable(address, private_network=True)
