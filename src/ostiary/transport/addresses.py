"""Where an outgoing connection may lead.

A name is resolved once and the connection goes to the address that was checked, so that nothing
can change in between. A server on this machine is named as such (`127.0.0.1`, `localhost`); a name
that only resolves to this machine, or to a private network, is refused unless its edge allows it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from functools import lru_cache

from ostiary.oauth.canonical_url import CanonicalUrl

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*written: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, written))


_PUBLIC = _networks("0.0.0.0/0", "2000::/3")
"""Unicast that is given out to the world: of IPv6 an eighth, the rest is reserved, local or no place."""
_NOT_PUBLIC = _networks(
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
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
)
"""What IANA's special-purpose registries (RFC 6890) do not call reachable, and 6to4's relays (RFC 7526).

A table of our own, since Python's `is_global` has another one in each version. The few addresses in
192.0.0.0/24 and 2001::/23 that can be reached are protocols' and not hosts'.
"""
_METADATA = _networks(
    "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128"
)
"""Where clouds tell a machine its secrets, besides the link-local addresses.

Alibaba, Azure, Oracle, AWS, Google.
"""

_IS_IPV4 = _networks("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
"""Compatible and mapped (RFC 4291 section 2.5.5), translated (RFC 7915), NAT64 (RFC 6052)."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""RFC 8215: where in it the IPv4 address stands is for each network to say."""
_ISATAP, _ISATAP_MASK = 0x5EFE, 0xFDFFFFFF
"""What stands before the IPv4 address in an interface identifier of RFC 5214; one bit of it is free."""


class AddressRefused(Exception):
    """The host does not resolve, or only to addresses that this edge may not reach."""


async def resolve(url: CanonicalUrl, *, private_network: bool = False) -> list[str]:
    """The addresses of the URL's host that may be connected to, in the resolver's order.

    Raises AddressRefused when there is none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host.strip("[]"), url.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AddressRefused(f"{url.host} does not resolve: {error.strerror}") from None
    addresses = [str(entry[4][0]) for entry in found]
    allowed = [
        address
        for address in dict.fromkeys(addresses)
        if may_reach(
            ipaddress.ip_address(address.partition("%")[0]),
            loopback=url.is_loopback,
            private_network=private_network,
        )
    ]
    if not allowed:
        raise AddressRefused(
            f"{url.host} is at {', '.join(addresses)}, on a private network: "
            "if it is meant, set private_network: true for it"
        )
    return allowed


@lru_cache(4096)
def network_of(address: str) -> str:
    """What one household has, and may choose among: of an IPv6 address its /64, of others the address."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.ipv4_mapped is not None:  # as a listener for both families calls them
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


def may_reach(address: IpAddress, *, loopback: bool, private_network: bool) -> bool:
    """Whether an edge may connect there: to every address that this one stands for."""
    return all(
        _may_reach(meant, loopback=loopback, private_network=private_network) for meant in _meant(address)
    )


def is_at_home(address: IpAddress) -> bool:
    """Whether it is this machine, or where its platform tells it secrets."""
    return any(
        meant.is_loopback or meant.is_link_local or meant.is_unspecified or _in(meant, _METADATA)
        for meant in _meant(address)
    )


def _may_reach(address: IpAddress, *, loopback: bool, private_network: bool) -> bool:
    if address.is_loopback:
        return loopback or private_network
    if address.is_link_local or address.is_multicast or address.is_unspecified or _in(address, _METADATA):
        return False
    return private_network or (_in(address, _PUBLIC) and not _in(address, _NOT_PUBLIC))


def _meant(address: IpAddress) -> tuple[IpAddress, ...]:
    """Itself, and the IPv4 address in it that a gateway, or the system itself, would go to instead."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if _in(address, _IS_IPV4) and int(address) > 1:
        return (last,)
    if address in _LOCAL_NAT64 or int(address) >> 32 & _ISATAP_MASK == _ISATAP:
        return (address, last)
    return (address,) if address.sixtofour is None else (address, address.sixtofour)


def _in(address: IpAddress, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
