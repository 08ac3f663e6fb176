"""What callers' tokens are held against: the keys of issuers, and which proofs came already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ostiary.gateway.inbound.authentication import InboundAuth
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import InboundSettings, IntrospectionInbound
from ostiary.identity.introspection import Introspection
from ostiary.identity.key_sets import KeySets
from ostiary.identity.memory_replay_store import MemoryReplayStore
from ostiary.identity.possession import Possession
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS
from ostiary.oauth.resource_server.protected_resource import metadata_url
from ostiary.transport.fetch import Fetcher


class Verification:
    """One for all endpoints of a gateway, and for all its plans. clock: seconds since the epoch.

    most_tokens: of how many a verdict is remembered, at each endpoint.
    """

    dpop_algorithms = ALGORITHMS

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float], most_tokens: int) -> None:
        self._key_sets = KeySets(fetcher, clock=clock)
        self._fetcher = fetcher
        self._introspections: list[tuple[IntrospectionInbound, Introspection]] = []
        self._replays = MemoryReplayStore()
        self._clock = clock
        self._most_tokens = most_tokens

    def of(
        self,
        entries: Sequence[InboundSettings],
        *,
        resource: CanonicalUrl,
        audiences: tuple[str, ...],
        scopes: tuple[str, ...],
    ) -> InboundAuth:
        """What checks the callers of one endpoint, which is this resource."""
        return InboundAuth(
            Authenticator(
                entries,
                audiences=audiences,
                key_sets=self._key_sets,
                introspection=self._introspection,
                clock=self._clock,
                most_tokens=self._most_tokens,
            ),
            possession=Possession(self._replays, self._clock),
            resource=resource,
            metadata_url=metadata_url(resource),
            scopes=scopes,
        )

    def _introspection(self, entry: IntrospectionInbound) -> Introspection:
        """One for all endpoints, so that an answer counts for all of them."""
        for known, introspection in self._introspections:
            if known == entry:
                return introspection
        introspection = Introspection(entry, self._fetcher, self._clock)
        self._introspections.append((entry, introspection))
        return introspection

    def forget_all_but(self, entries: Sequence[InboundSettings]) -> None:
        """What no endpoint asks any more is not kept."""
        self._introspections = [one for one in self._introspections if one[0] in entries]
