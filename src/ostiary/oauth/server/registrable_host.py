"""The part of a host name that somebody registered: names below it are free, and so are ports.

A guess, without the list of public suffixes, for bounds alone. Who shares a suffix that is not known here
shares a bound with its other customers; nothing that is believed or trusted may depend on it.
"""

from __future__ import annotations

import ipaddress

_SECOND_LEVEL = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "ne", "net", "nom", "or", "org"}
)
"""What many registries of countries sell names below: `example.co.uk`."""


def registrable_host(host: str) -> str:
    """The registered name that a canonical host is below; of an IPv6 address its /64."""
    if host.startswith("["):
        network = ipaddress.IPv6Network((host.strip("[]"), 64), strict=False)
        return str(network)
    labels = host.rstrip(".").split(".")
    if labels[-1].isdigit():
        return host
    of_country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if of_country else -2 :])
