"""What an OpenID provider says of itself, asked for once an hour. OpenID Connect Discovery section 4.

fresh    answered from memory
aged     asked for again, once however many wait; while it can't be had, believed for a day
never    IdpUnavailable, or MetadataRefused when what was found is another issuer's
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.oauth.client.server_metadata import OPENID, MetadataRefused, metadata_urls, read_issuer_metadata
from ostiary.transport.fetch import Fetcher, FetchError
from ostiary.transport.reach import Reach

FRESH = 3600.0
TOO_OLD = 24 * 3600.0
FAILURE_PAUSE = 5.0
"""Seconds between requests that fail, while there is something older to believe."""
ANY_TENANT = "{tenantid}"
_COMMON = "common"
"""The tenant at which Entra ID describes the issuer of all tenants."""


class ProviderMetadata:
    """Of one issuer. clock: seconds since the epoch."""

    def __init__(self, issuer: str, reach: Reach, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self.issuer = issuer
        self._reach = reach
        self._fetcher = fetcher
        self._clock = clock
        self._known: Mapping[str, Any] | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetch: asyncio.Task[Mapping[str, Any]] | None = None

    @property
    def place(self) -> CanonicalUrl:
        """Where the issuer is."""
        return canonical_url(self.issuer.replace(ANY_TENANT, _COMMON))

    async def get(self) -> Mapping[str, Any]:
        """The document. Raises FetchError, MetadataRefused."""
        now = self._clock()
        age = now - self._fetched_at
        if self._known is not None and 0 <= age < FRESH:
            return self._known
        if self._known is not None and age < TOO_OLD and 0 <= now - self._tried_at < FAILURE_PAUSE:
            return self._known
        try:
            return await self._fetched()
        except (FetchError, MetadataRefused):
            if self._known is None or not 0 <= age < TOO_OLD:
                raise
            return self._known

    async def _fetched(self) -> Mapping[str, Any]:
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._ask())
            self._fetch.add_done_callback(self._done)
        return await asyncio.shield(self._fetch)

    def _done(self, task: asyncio.Task[Mapping[str, Any]]) -> None:
        self._fetch, self._tried_at = None, self._clock()
        if not task.cancelled() and task.exception() is None:
            self._known, self._fetched_at = task.result(), self._clock()

    async def _ask(self) -> Mapping[str, Any]:
        """At OpenID Connect's address first: what stands at RFC 8414's may leave out userinfo."""
        places = metadata_urls(str(self.place))
        reasons: list[FetchError | MetadataRefused] = []
        for place in sorted(places, key=lambda url: not url.path.endswith(OPENID)):
            try:
                document = await self._fetcher.get_json(place, reach=self._reach)
                return read_issuer_metadata(document, issuer=self.issuer)
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        refused = [reason for reason in reasons if isinstance(reason, MetadataRefused)]
        raise (refused or reasons)[0]
