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
        "64:ff9b:1:7f00:0:100:808:808",
        "fd00::200:5efe:8.8.8.8",
    ],
)
def test_an_inner_address_is_reached_only_where_the_edge_allows_it(address: str) -> None:
    assert not reachable(address)
    assert reachable(address, private_network=True)


@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ],
)
def test_a_special_purpose_address_is_not_public_whatever_python_says(network: str) -> None:
    """IANA's registries, which Python 3.11 to 3.14 each know in part."""
    inside = ipaddress.ip_network(network)
    for address in (inside[0], inside[1], inside[inside.num_addresses // 2], inside[-1]):
        assert not reachable(str(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.0.0.1",
        "9.255.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.88.100.1",
        "223.255.255.1",
        "2001:200::1",
        "2001:db9::1",
        "2400::1",
        "2620:4f:8000::1",
        "3ffe:ffff::1",
    ],
)
def test_what_is_beside_a_special_purpose_network_is_public(address: str) -> None:
    assert reachable(address)


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
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "64:ff9b::168.63.129.16",
        "192.0.0.192",
        "64:ff9b:1::169.254.169.254",
    ],
)
def test_a_metadata_server_is_reached_by_no_edge(address: str) -> None:
    assert not reachable(address)
    assert not reachable(address, private_network=True)
