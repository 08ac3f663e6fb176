"""Who is at the other end when proxies stand between: X-Forwarded-For, as far as it can be believed.

Each proxy adds the address that it was reached from at the end. So the header is read from its end, for as
long as whoever wrote the entry is a proxy that the operator named; what a stranger wrote before stays unread.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from ostiary.settings import Network

NO_PROXY_IS_NAMED = "whose PROXY headers count is not said: name their networks in trusted_proxies"
MOST_HOPS = 16
"""Entries that are read at most."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks of the proxies in front of us."""

    networks: Sequence[Network] = ()
    announce: bool = False
    """Whether their connections begin with a header of the PROXY protocol."""

    def client(self, peer: str, forwarded_for: bytes | None) -> str:
        """The nearest address that is no proxy of ours.

        peer: the other end of the connection; forwarded_for: the header's value, of its last line.
        """
        if forwarded_for is None or not self.networks:
            return peer
        address = peer
        for hop in reversed(forwarded_for.decode("latin-1").split(",")[-MOST_HOPS:]):
            if not self.has(address):
                break
            try:
                address = str(ipaddress.ip_address(hop.strip()))
            except ValueError:
                break
        return address

    def has(self, address: str) -> bool:
        """Whether it is one of theirs."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self.networks)


NO_PROXIES = TrustedProxies()
