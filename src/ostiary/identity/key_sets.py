"""Issuers' keys: found, fetched once however many wait, and believed for a while.

fresh           answered from memory
aged            answered from memory, and fetched again meanwhile; believed until too old
unknown key id  waited for: strangers choose key ids, so one fetch in half a minute, and nobody else waits
never had       waited for, as what is too old

Whoever waited in vain hears TemporarilyUnavailable, for nothing can be verified; the fetch goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ostiary.identity.key_set import KeySet, read_key_set
from ostiary.oauth.client.server_metadata import MetadataRefused, jwks_uri, metadata_urls
from ostiary.oauth.errors import TemporarilyUnavailable
from ostiary.oauth.refusal import Refusal
from ostiary.transport.fetch import Fetcher, FetchError
from ostiary.transport.reach import PUBLIC, Reach

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

FRESH = 600.0
"""Seconds for which keys are not asked for again."""
TOO_OLD = 3600.0
"""Seconds after which keys that can't be fetched again are not believed: a withdrawn key must end."""
UNKNOWN_KID_PAUSE = 30.0
"""Seconds between fetches for the sake of a key id that is not there."""
FAILURE_PAUSE = 5.0
"""Seconds between fetches that fail."""
LONGEST_WAIT = 5.0
"""Seconds that a call waits for a fetch."""

logger = logging.getLogger("ostiary.identity")


@dataclass(frozen=True, slots=True)
class KeyLocation:
    """Whose keys, and where: at `jwks_url`, else as the issuer's metadata says."""

    issuer: str
    jwks_url: CanonicalUrl | None = None
    reach: Reach = PUBLIC


class JsonFetcher(Protocol):
    """What fetches metadata and keys."""

    async def get_json(self, url: CanonicalUrl, *, reach: Reach) -> Any:
        """The decoded document. Raises FetchError."""


class KeySets:
    """All issuers' keys of one process. `generation` changes whenever any of them does.

    most: how many issuers are remembered, where strangers name them; None where the operator does.
    longest_wait: seconds that a call waits for a fetch.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Callable[[], float] = time.time,
        *,
        most: int | None = None,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._most = most
        self._longest_wait = longest_wait
        self._known: dict[KeyLocation, _Known] = {}
        self.generation = 0

    async def get(
        self, location: KeyLocation, *, kid: str | None = None, fetcher: JsonFetcher | None = None
    ) -> KeySet:
        """The keys. Waits for a fetch only when there are none to believe, or `kid` is not among them.

        fetcher: what fetches them for whoever asks now, where that is not everybody's. Raises
        TemporarilyUnavailable.
        """
        known = self._known.get(location)
        if known is None:
            known = self._known[location] = _Known()
            self._forget_oldest()
        now = self._clock()
        if known.fetch is None and known.wants_fetch(kid, now):
            known.fetch = asyncio.create_task(self._fetch(location, known, fetcher or self._fetcher))
        if known.fetch is not None and not known.suffices(kid, now):
            await asyncio.wait({known.fetch}, timeout=self._longest_wait)
        return known.believed(location, kid, self._clock())

    def _forget_oldest(self) -> None:
        if self._most is not None and len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    async def _fetch(self, location: KeyLocation, known: _Known, fetcher: JsonFetcher) -> None:
        """Never raises what an issuer can cause: the outcome is kept for everybody who asks."""
        try:
            url = location.jwks_url or await self._discover(location, fetcher)
            keys = read_key_set(await fetcher.get_json(url, reach=location.reach))
        except (FetchError, ValueError) as error:
            known.failure = error.with_traceback(None)
            logger.warning("keys of issuer %s can't be had: %s", location.issuer, error)
        else:
            self.generation += known.keep(keys, self._clock())
        finally:
            known.tried_at, known.fetch = self._clock(), None

    async def _discover(self, location: KeyLocation, fetcher: JsonFetcher) -> CanonicalUrl:
        reasons = []
        for url in metadata_urls(location.issuer):
            try:
                document = await fetcher.get_json(url, reach=location.reach)
                return jwks_uri(document, issuer=location.issuer)
            except (FetchError, MetadataRefused) as error:
                reasons.append(str(error))
        raise ValueError("; ".join(reasons))


class _Known:
    """What is known about one issuer's keys."""

    __slots__ = ("failure", "fetch", "fetched_at", "keys", "tried_at")

    def __init__(self) -> None:
        self.keys: KeySet | None = None
        self.fetched_at = self.tried_at = float("-inf")
        self.failure: Exception | None = None
        self.fetch: asyncio.Task[None] | None = None

    def wants_fetch(self, kid: str | None, now: float) -> bool:
        since = now - self.tried_at
        if self.failure is not None:
            return since >= FAILURE_PAUSE
        if self.keys is None or now - self.fetched_at >= FRESH:
            return True
        return kid is not None and not self.keys.has(kid) and since >= UNKNOWN_KID_PAUSE

    def suffices(self, kid: str | None, now: float) -> bool:
        """Whether a token can be judged without waiting for a fetch that is under way."""
        if self.keys is None or now - self.fetched_at >= TOO_OLD:
            return False
        return kid is None or self.keys.has(kid)

    def keep(self, keys: KeySet, now: float) -> bool:
        """Remember the keys; True when they differ from those before."""
        changed = self.keys is None or _material(self.keys) != _material(keys)
        if changed:
            self.keys = keys
        self.fetched_at, self.failure = now, None
        return changed

    def believed(self, location: KeyLocation, kid: str | None, now: float) -> KeySet:
        """The keys, unless they are too old, or could be incomplete: a fetch failed, or lasts.

        Raises TemporarilyUnavailable, whose cause is why.
        """
        is_settled = self.failure is None and self.fetch is None
        if self.keys is None or not (self.suffices(kid, now) or (is_settled and self.suffices(None, now))):
            raise TemporarilyUnavailable(
                "the token cannot be verified now, because its issuer's keys cannot be fetched",
                reason=Refusal.KEYS_UNAVAILABLE,
                retry_after=int(FAILURE_PAUSE),
                detail=f"keys of issuer {location.issuer}: {self.failure or 'they are still being fetched'}",
            ) from self.failure
        return self.keys


def _material(keys: KeySet) -> list[dict[str, object]]:
    return [dict(key.as_dict(private=False)) for key in keys.keys]
