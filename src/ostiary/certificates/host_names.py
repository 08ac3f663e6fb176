"""What a server's certificate is for, by where it listens, so that clients can compare it with their URL."""

from __future__ import annotations

import ipaddress

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.settings import Listen

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_names(listen: Listen, *urls: CanonicalUrl | None) -> tuple[str, ...]:
    """Hosts and addresses. urls: its addresses as clients see it, None for those that are not known."""
    hosts = [url.host.strip("[]") for url in urls if url is not None]
    if listen.is_loopback:
        return (*hosts, *LOOPBACK)
    is_any = ipaddress.ip_address(listen.host).is_unspecified
    return (*hosts, *LOOPBACK) if is_any else (*hosts, listen.host)
