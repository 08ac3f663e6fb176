"""Does everybody come from one address? A proxy in front hides who asks, unless it is trusted to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostiary.config.file import OstiaryFile

if TYPE_CHECKING:
    from ostiary.authserver.config import AuthServerSettings
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded
    from ostiary.gateway.config import GatewaySettings


def hidden_addresses(loaded: Loaded[OstiaryFile]) -> Iterator[FileFault]:
    """What to tell of parts whose limits would count all strangers as one."""
    gateway, authserver = loaded.settings.gateway, loaded.settings.authserver
    if gateway is not None and gateway.allow_unauthenticated and _is_behind_a_stranger(gateway, gateway.url):
        yield loaded.fault(
            ("gateway", "url"),
            f"it is https and {gateway.listen} is plain, so a proxy in front ends TLS, and all callers have "
            "its address and one caller's share; name its networks, such as trusted_proxies: [127.0.0.1/32]",
        )
    if authserver is not None and _is_behind_a_stranger(authserver, authserver.issuer):
        yield loaded.fault(
            ("authserver", "issuer"),
            f"it is https and {authserver.listen} is plain, so a proxy in front ends TLS, and everybody has "
            "its address: wrong secrets of one stranger lock out all; name its networks, such as "
            "trusted_proxies: [127.0.0.1/32]",
        )


def _is_behind_a_stranger(part: GatewaySettings | AuthServerSettings, url: object) -> bool:
    """Whether somebody whom it does not know ends TLS in front of it."""
    return part.tls is None and not part.trusted_proxies and str(url).startswith("https://")
