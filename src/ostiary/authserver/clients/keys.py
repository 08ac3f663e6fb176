"""The keys with which clients sign what they say of themselves. RFC 7591 section 2: `jwks`, `jwks_uri`.

They come from what was registered, and never from what a statement's header points at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ostiary.authserver.clients.metadata_documents import TIMEOUT
from ostiary.authserver.clients.pending_fetches import PendingFetches
from ostiary.authserver.clients.strangers_reach import KEYS_OUT_OF_REACH, strangers_reach
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.identity.key_set import KeySet, read_key_set
from ostiary.identity.key_sets import JsonFetcher, KeyLocation, KeySets
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.oauth.errors import TemporarilyUnavailable
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.errors import InvalidClient, Unavailable
from ostiary.transport.fetch import Fetcher, FetchError, NotAllowed
from ostiary.transport.proxies import Proxies
from ostiary.transport.reach import PUBLIC, Reach

MAX_BYTES = 64 * 1024
MOST_REMEMBERED = 1_000


class ClientKeys:
    """All clients' keys. operators: where the keys of the operator's own clients are kept."""

    def __init__(
        self,
        settings: AuthServerSettings,
        operators: KeySets,
        proxies: Proxies,
        clock: Callable[[], float],
    ) -> None:
        self._operators = operators
        self._reaches = {client.client_id: client.reach for client in settings.clients}
        fetcher = Fetcher(timeout=TIMEOUT, max_bytes=MAX_BYTES, proxies=proxies)
        self._strangers = KeySets(fetcher, clock, most=MOST_REMEMBERED)
        self._strangers_reach = strangers_reach(settings.registration)
        self._fetcher = fetcher
        self._pending = PendingFetches()
        self._inline: dict[str, tuple[Mapping[str, Any], KeySet]] = {}

    async def of(self, client: Client, *, kid: str | None, asked_from: str) -> KeySet:
        """The keys, fetched again when `kid` is not among them. Raises InvalidClient, Unavailable.

        asked_from: the address that asks, whose slow keys are not everybody's trouble.
        """
        if client.jwks is not None:
            return self._read(client.client_id, client.jwks)
        if client.jwks_uri is None:
            return KeySet(())
        sets, reach = self._strangers, self._strangers_reach
        fetcher: JsonFetcher | None = _FetcherWithShares(self._fetcher, self._pending, asked_from)
        if client.kind is ClientKind.PREREGISTERED:
            sets, reach, fetcher = self._operators, self._reaches.get(client.client_id, PUBLIC), None
        location = KeyLocation(client.client_id, canonical_url(client.jwks_uri), reach)
        try:
            return await sets.get(location, kid=kid, fetcher=fetcher)
        except TemporarilyUnavailable as away:
            if sets is self._strangers and isinstance(away.__cause__, NotAllowed):
                raise InvalidClient(KEYS_OUT_OF_REACH, detail=away.detail) from None
            raise Unavailable(
                "the client's keys cannot be fetched now; nothing was spent",
                retry_after=away.retry_after,
                detail=away.detail,
            ) from None

    def _read(self, client_id: str, jwks: Mapping[str, Any]) -> KeySet:
        known = self._inline.get(client_id)
        if known is None or known[0] is not jwks:
            if len(self._inline) >= MOST_REMEMBERED:
                del self._inline[next(iter(self._inline))]
            known = self._inline[client_id] = (jwks, read_key_set(jwks))
        return known[1]


class _FetcherWithShares:
    """Fetches for an address, within its share and that of the host."""

    def __init__(self, fetcher: Fetcher, pending: PendingFetches, asked_from: str) -> None:
        self._fetcher = fetcher
        self._pending = pending
        self._asked_from = asked_from

    async def get_json(self, url: CanonicalUrl, *, reach: Reach) -> Any:
        try:
            with self._pending.one(url, self._asked_from):
                return await self._fetcher.get_json(url, reach=reach)
        except Unavailable as crowded:
            raise FetchError(url, crowded.detail) from None
