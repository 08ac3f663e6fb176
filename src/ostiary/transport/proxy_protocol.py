"""The header in which a proxy says whose connection it passes on: PROXY protocol, versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. Pure: bytes in; an address, or the want of more,
or an error out. Only what a named proxy sends is read so; of all others it would be whatever they like.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

LONGEST = 4096
"""Bytes of a header that are read: what a version 2 adds beside the addresses is skipped."""
LONGEST_LINE = 107
"""Of version 1, line break included."""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""How version 2 begins."""
_FIXED = 16
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [ -~]*)?"
    rb"|TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
)
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED = 0x00
_ADDRESS_BYTES = {0x11: 4, 0x21: 16}
"""TCP over IPv4, and over IPv6."""


class ProxyHeaderRefused(Exception):
    """What came is no header of the PROXY protocol that we take."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """One that was read."""

    length: int
    """Bytes that it takes."""
    address: str | None
    """Whose connection it is; None for the proxy's own, or where the proxy does not know."""


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that the data begins with; None when more of it is to come. Raises ProxyHeaderRefused."""
    if data.startswith(SIGNATURE):
        return _read_binary(data)
    if SIGNATURE.startswith(data):
        return None
    if data.startswith(b"PROXY "[: len(data)]):
        return _read_line(data)
    raise ProxyHeaderRefused("it does not begin with a header of the PROXY protocol")


def _read_line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, LONGEST_LINE)
    if end < 0:
        if len(data) >= LONGEST_LINE:
            raise ProxyHeaderRefused(f"its line is longer than {LONGEST_LINE} bytes")
        return None
    match = _LINE.fullmatch(data, 0, end + 2)
    if match is None:
        raise ProxyHeaderRefused("its line is no PROXY TCP4, TCP6 or UNKNOWN with addresses and ports")
    if match[1] is None:
        return ProxyHeader(end + 2, None)
    version = int(match[1])
    source, destination = (_address(text.decode("ascii"), version) for text in match.group(2, 3))
    if destination is None or source is None or any(int(port) > 65535 for port in match.group(4, 5)):
        raise ProxyHeaderRefused("its line has an address or a port that is none")
    return ProxyHeader(end + 2, source)


def _address(text: str, version: int) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return _shown(address) if address.version == version else None


def _read_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    command, family = data[12], data[13]
    length = _FIXED + int.from_bytes(data[14:16], "big")
    if length > LONGEST:
        raise ProxyHeaderRefused(f"it is longer than {LONGEST} bytes")
    if command not in {_LOCAL, _PROXY}:
        raise ProxyHeaderRefused("its version or command is unknown")
    size = _ADDRESS_BYTES.get(family)
    if command == _LOCAL or family == _UNSPECIFIED:
        size = 0
    elif size is None:
        raise ProxyHeaderRefused("it is of another protocol than TCP")
    elif length < _FIXED + 2 * size + 4:
        raise ProxyHeaderRefused("it ends before its addresses do")
    if len(data) < length:
        return None
    if not size:
        return ProxyHeader(length, None)
    return ProxyHeader(length, _shown(ipaddress.ip_address(data[_FIXED : _FIXED + size])))


def _shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
