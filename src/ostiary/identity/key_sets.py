"""Issuers' keys: found, fetched once however many wait, and believed for a while.

fresh           answered from memory
aged            fetched again; while the issuer can't be reached, believed until it is too old
unknown key id  fetched again, at most every half minute, so that strangers can't make us hammer an issuer
never had       nothing can be verified: TemporarilyUnavailable
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.identity.key_set import KeySet, read_key_set
from ostiary.oauth.errors import TemporarilyUnavailable
from ostiary.oauth.issuer_metadata import MetadataRefused, jwks_uri, metadata_urls
from ostiary.oauth.refusal import Refusal
from ostiary.transport.fetch import PUBLIC, Fetcher, FetchError, Reach

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

logger = logging.getLogger("ostiary.identity")


@dataclass(frozen=True, slots=True)
class KeyLocation:
    """Whose keys, and where: at `jwks_url`, else as the issuer's metadata says."""

    issuer: str
    jwks_url: CanonicalUrl | None = None
    reach: Reach = PUBLIC


class KeySets:
    """All issuers' keys of one process. `generation` changes whenever any of them does.

    most: how many issuers are remembered, where strangers name them; None where the operator does.
    """

    def __init__(
        self, fetcher: Fetcher, clock: Callable[[], float] = time.time, *, most: int | None = None
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._most = most
        self._known: dict[KeyLocation, _Known] = {}
        self.generation = 0

    async def get(self, location: KeyLocation, *, kid: str | None = None) -> KeySet:
        """The keys; fetched again when `kid` is not among them. Raises TemporarilyUnavailable."""
        known = self._known.get(location)
        if known is None:
            known = self._known[location] = _Known()
            self._forget_oldest()
        now = self._clock()
        if known.wants_fetch(kid, now):
            await self._refresh(location, known)
        return known.believed(location, kid, self._clock())

    def _forget_oldest(self) -> None:
        if self._most is not None and len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    async def _refresh(self, location: KeyLocation, known: _Known) -> None:
        if known.fetch is None:
            known.fetch = asyncio.create_task(self._fetch(location, known))
        await asyncio.shield(known.fetch)

    async def _fetch(self, location: KeyLocation, known: _Known) -> None:
        """Never raises what an issuer can cause: the outcome is kept for everybody who asks."""
        try:
            url = location.jwks_url or await self._discover(location)
            keys = read_key_set(await self._fetcher.get_json(url, reach=location.reach))
        except (FetchError, ValueError) as error:
            known.failure = error.with_traceback(None)
            logger.warning("keys of issuer %s can't be had: %s", location.issuer, error)
        else:
            self.generation += known.keep(keys, self._clock())
        finally:
            known.tried_at, known.fetch = self._clock(), None

    async def _discover(self, location: KeyLocation) -> CanonicalUrl:
        reasons = []
        for url in metadata_urls(location.issuer):
            try:
                document = await self._fetcher.get_json(url, reach=location.reach)
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

    def keep(self, keys: KeySet, now: float) -> bool:
        """Remember the keys; True when they differ from those before."""
        changed = self.keys is None or _material(self.keys) != _material(keys)
        if changed:
            self.keys = keys
        self.fetched_at, self.failure = now, None
        return changed

    def believed(self, location: KeyLocation, kid: str | None, now: float) -> KeySet:
        """The keys, unless they are too old, or could be incomplete because the last fetch failed.

        Raises TemporarilyUnavailable, whose cause is why.
        """
        usable = self.keys is not None and now - self.fetched_at < TOO_OLD
        if self.keys is None or not usable or (self.failure and kid is not None and not self.keys.has(kid)):
            raise TemporarilyUnavailable(
                "the token cannot be verified now, because its issuer's keys cannot be fetched",
                reason=Refusal.KEYS_UNAVAILABLE,
                retry_after=int(FAILURE_PAUSE),
                detail=f"keys of issuer {location.issuer}: {self.failure}",
            ) from self.failure
        return self.keys


def _material(keys: KeySet) -> list[dict[str, object]]:
    return [dict(key.as_dict(private=False)) for key in keys.keys]
