"""What the way from an authorization request to a code is given: no keys, nothing of programs' endpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ostiary.authserver.clients.registry import ClientRegistry
from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.idps.idp import Idps
from ostiary.authserver.rates import Rates
from ostiary.authserver.resources import Resources
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit


@dataclass(frozen=True, slots=True)
class InteractionContext:
    """Of one server. issuer: its name; clock: seconds since the epoch."""

    issuer: str
    store: Store
    clients: ClientRegistry
    resources: Resources
    common_scopes: frozenset[str]
    """Scopes that are not of a resource."""
    idps: Idps
    idp_entries: Sequence[IdpSettings]
    """As configured."""
    life: TokenSettings
    """How long a sign-in may take, and a code lives."""
    rates: Rates
    audit: Audit
    clock: Callable[[], float]

    def url(self, path: str) -> str:
        """A page as browsers see it."""
        return endpoint(self.issuer, path)
