"""An address as limits count it: IPv6 by its /64, which is what one household has, and may choose among."""

from __future__ import annotations

import ipaddress


def household(address: str) -> str:
    """The address, or the network that it is counted with."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if ip.ipv4_mapped is not None:  # as a listener for both families calls them
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))
