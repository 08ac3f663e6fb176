"""What asking an issuer takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ostiary.credentials.issuer.discovery import Discoveries
    from ostiary.transport.fetch import Fetcher


class IssuerContext(Protocol):
    """Shared by all credentials of a process."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""

    @property
    def fetcher(self) -> Fetcher:
        """Sends requests to issuers."""

    @property
    def discoveries(self) -> Discoveries:
        """What issuers say of themselves."""
