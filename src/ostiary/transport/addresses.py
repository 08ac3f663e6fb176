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

_ENDS_IN_IPV4 = tuple(
    map(
        ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
    )
)
"""Compatible and mapped (RFC 4291 section 2.5.5), translated (RFC 7915), NAT64 (RFC 6052, RFC 8215)."""
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
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def may_reach(address: IpAddress, *, loopback: bool, private_network: bool) -> bool:
    """Whether an edge may connect there. IPv4 inside IPv6 counts as the IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        address = _ipv4_inside(address) or address
    if address.is_loopback:
        return loopback or private_network
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or private_network


def _ipv4_inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway, or the system itself, would go to for this one."""
    bits = int(address)
    embedded = any(address in network for network in _ENDS_IN_IPV4) and bits > 1
    if embedded or bits >> 32 & _ISATAP_MASK == _ISATAP:
        return ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    return address.sixtofour
