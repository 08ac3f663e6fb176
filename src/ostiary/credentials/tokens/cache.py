"""One fetch, however many wait; renewed ahead of expiry, so that nobody waits again.

    cold           the first caller starts the fetch, all wait for it; failing, all hear the same error,
                   and further callers hear it too until the back-off is over
    fresh          served from memory
    renewing       from 70 to 85 % of its life on, the next use starts a renewal behind the callers' backs;
                   the token is served meanwhile, and failing renewals are repeated inside what is left of it
    ending         in its last seconds callers wait for the renewal, a moment; if it hangs or fails they get
                   the token that is still good. Only at its end they fail
    refused        dropped at once, unless it has been renewed since; a burst of refusals fetches one
    on trial       what replaced a refused token, until a server has taken it: refused too, it is kept for a
                   pause, which grows, since a third would fare no better
    needs          the issuer said no for good: nobody asks again before somebody has changed a secret or
    attention      come with another token, or five minutes are over; a token that is still good is served

A token that nobody uses is not renewed. Everything here runs in one event loop and takes no lock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Self

from ostiary.credentials.error import CredentialError, CredentialUnreachable
from ostiary.credentials.tokens.held_token import HeldToken, Rotating, TokenStatus
from ostiary.credentials.tokens.shared_tokens import Shareable
from ostiary.credentials.tokens.token import Replacing

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.credentials.tokens.shared_tokens import SharedTokens
    from ostiary.credentials.tokens.token import Token, TokenSource

MOST_TOKENS = 10_000
PATIENCE = 1.0
"""Seconds for which a renewal is waited for while the token is still good."""

OK, FAILED = "ok", "failed"

logger = logging.getLogger("ostiary.credentials")


class TokenKey:
    """What names a token among all others, hashed once: it is looked up on every request."""

    __slots__ = ("_hash", "_parts")

    def __init__(self, *parts: Hashable) -> None:
        self._parts = parts
        self._hash = hash(parts)

    @property
    def parts(self) -> tuple[Hashable, ...]:
        """What it is made of."""
        return self._parts

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, TokenKey) and self._parts == other._parts)


class TokenCache:
    """Tokens by key. `limit` bounds how many are kept; the oldest goes first.

    shared: asked before a source, for tokens that may be shared with other replicas.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        limit: int = MOST_TOKENS,
        shared: SharedTokens | None = None,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._shared = shared
        self._held: dict[Hashable, HeldToken] = {}
        self._fetches: set[asyncio.Task[Token]] = set()
        self.fetches: Counter[tuple[str, str]] = Counter()
        """(kind of credential, what became of it) → how many fetches."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def ready(self, key: Hashable, source: TokenSource | None = None) -> Token | None:
        """The token at hand, or None. Starts its renewal when that is due, at the source that is now its."""
        held = self._held.get(key)
        if held is None:
            return None
        now = self._clock()
        if now >= held.renew_at:
            if now >= held.wait_from:
                return None
            held.source = source or held.source
            if held.fetch is None and held.may_try(now):
                self._start(held, now)
        return held.token

    async def get(self, key: Hashable, source: TokenSource) -> Token:
        """The token at hand, or a fetched one. Raises what the fetch raised."""
        token = self.ready(key, source)
        if token is not None:
            return token
        held = self._held.get(key) or self._hold(key, source)
        held.source, now = source, self._clock()
        if held.fetch is None:
            if held.failure is not None and not held.may_try(now):
                if (good := held.still_good(now)) is not None:
                    return good
                raise held.failure.with_traceback(None)
            self._start(held, now)
        assert held.fetch is not None  # noqa: S101 - for the type checker: _start has just set it
        if held.still_good(now) is None:
            return await asyncio.shield(held.fetch)
        return await self._renewed_in_time(held, held.fetch, now)

    def drop(self, key: Hashable, token: Token) -> bool:
        """Forget a refused token, if it is still the one we have. True when another try makes sense."""
        held = self._held.get(key)
        if held is None or held.token is not token:
            return True
        return held.drop(self._clock())

    def forget(self, key: Hashable, token: Token) -> None:
        """Serve a token no more, good as it may be, if it is still the one we have."""
        held = self._held.get(key)
        if held is not None and held.token is token:
            held.forget()

    def worked(self, key: Hashable, token: Token) -> None:
        """Hear that a server has taken a token. Only that of one which replaced a refused one is news."""
        held = self._held.get(key)
        if held is not None and held.token is token:
            held.on_trial = False

    def status(self, key: Hashable) -> TokenStatus | None:
        """How it stands with the token, for people and metrics; None for a key that nobody asked for."""
        held = self._held.get(key)
        return None if held is None else held.status()

    @property
    def fetching(self) -> int:
        """How many fetches are under way."""
        return len(self._fetches)

    async def close(self) -> None:
        """Stop what is under way."""
        fetches = list(self._fetches)
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        self._held.clear()

    def _hold(self, key: Hashable, source: TokenSource) -> HeldToken:
        if len(self._held) >= self._limit:
            del self._held[next(iter(self._held))]
        held = self._held[key] = HeldToken(key, source)
        return held

    async def _renewed_in_time(self, held: HeldToken, fetch: asyncio.Task[Token], now: float) -> Token:
        """The new token, if it comes within the patience that callers have together; else the good one."""
        patience = max(0.0, held.started_at + PATIENCE - now)
        await asyncio.wait([fetch], timeout=patience)
        if fetch.done() and not fetch.cancelled() and fetch.exception() is None:
            return fetch.result()
        good = held.still_good(self._clock())
        return await asyncio.shield(fetch) if good is None else good

    def _start(self, held: HeldToken, now: float) -> None:
        held.started_at = now
        held.fetch = asyncio.create_task(self._fetch(held))
        self._fetches.add(held.fetch)
        held.fetch.add_done_callback(self._finished)

    async def _fetch(self, held: HeldToken) -> Token:
        held.version = held.source.version() if isinstance(held.source, Rotating) else None
        try:
            token = await self._obtain(held)
            _require_some_life(token, held.source, self._clock())
            held.accept(token, self._clock())
            self.fetches[held.source.credential, OK] += 1
        except CredentialError as failure:
            held.fail(failure, self._clock())
            self.fetches[held.source.credential, FAILED] += 1
            raise
        finally:
            held.fetch = None
        return token

    async def _obtain(self, held: HeldToken) -> Token:
        source = held.source
        if held.refused is not None and isinstance(source, Replacing):
            return await source.replace(held.refused)
        if self._shared is None or not isinstance(source, Shareable) or not source.shareable:
            return await source.fetch()
        return await self._shared.obtain(held.key, source, refused=held.refused)

    def _finished(self, fetch: asyncio.Task[Token]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled() and (error := fetch.exception()) is not None:
            logger.warning("token fetch failed: %s", error)


def _require_some_life(token: Token, source: TokenSource, now: float) -> None:
    """A token that is over on arrival would be fetched again for every call."""
    if token.expires_at is not None and token.expires_at <= now:
        raise CredentialUnreachable(
            f"its issuer gave a token that ended {now - token.expires_at:.0f} seconds ago by our clock",
            credential=source.credential,
            endpoint=source.endpoint,
            fix="set the clock right, here or there",
        )
