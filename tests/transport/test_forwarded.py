"""Who is at the other end when proxies stand between, and who only says so."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ostiary.transport.forwarded import NO_PROXIES, TrustedProxies

OURS = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("10.0.0.1", b"203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", b"203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", b"192.0.2.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),  # a stranger wrote the first
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"unknown", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.7\r\nx", "10.0.0.1"),
        ("fd00::1", b"2001:DB8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", b"203.0.113.7", "203.0.113.7"),
        ("203.0.113.9", b"127.0.0.1", "203.0.113.9"),
        ("", b"127.0.0.1", ""),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours(peer: str, said: bytes | None, client: str) -> None:
    assert OURS.client(peer, said) == client


def test_without_proxies_nobody_is_believed() -> None:
    assert NO_PROXIES.client("127.0.0.1", b"203.0.113.7") == "127.0.0.1"


def test_a_long_header_costs_little() -> None:
    assert OURS.client("10.0.0.1", b"10.0.0.1," * 100_000 + b"10.0.0.2") == "10.0.0.1"
