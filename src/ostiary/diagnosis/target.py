"""One MCP server, and what it is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ostiary.credentials.runtime import Runtime
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.reach import PUBLIC, Reach

if TYPE_CHECKING:
    from ostiary.credentials import Credential
    from ostiary.oauth.canonical_url import CanonicalUrl


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """One MCP server, and what it is sent."""

    url: CanonicalUrl
    credential: Credential
    found: str
    """Where the credential comes from, for people."""
    reach: Reach = PUBLIC
    """How far the configuration lets requests to it go, and whom to trust there."""
    proxies: Proxies = field(default_factory=lambda: proxies_of("environment", os.environ), repr=False)
    """By which requests go."""

    def runtime(self, **options: Any) -> Runtime:
        """What its credential fetches tokens with."""
        return Runtime(proxies=self.proxies, servers={self.url: self.reach}, **options)
