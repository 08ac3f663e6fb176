"""Where an outgoing connection may lead.

A name is resolved once and the connection goes to the address that was checked, so that nothing
can change in between. A server on this machine is named as such (`127.0.0.1`, `localhost`); a name
that only resolves to this machine, or to a private network, is refused unless its edge allows it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from ostiary.oauth.canonical_url import CanonicalUrl

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


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


def may_reach(address: IpAddress, *, loopback: bool, private_network: bool) -> bool:
    """Whether an edge may connect there. IPv4 inside IPv6 counts as the IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if address.is_loopback:
        return loopback or private_network
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or private_network
