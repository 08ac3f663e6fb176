"""Does everybody come from one address? A proxy in front hides who asks, unless it is trusted to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostiary.config.file import OstiaryFile

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded


def hidden_addresses(loaded: Loaded[OstiaryFile]) -> Iterator[FileFault]:
    """What to tell of an authorization server whose limits would count all strangers as one."""
    authserver = loaded.settings.authserver
    if authserver is None or authserver.trusted_proxies or authserver.tls is not None:
        return
    if not authserver.issuer.startswith("https://"):
        return
    yield loaded.fault(
        ("authserver", "issuer"),
        f"it is https and {authserver.listen} is plain, so a proxy in front ends TLS, and everybody has its "
        "address: wrong secrets of one stranger lock out all; name its networks, such as "
        "trusted_proxies: [127.0.0.1/32]",
    )
