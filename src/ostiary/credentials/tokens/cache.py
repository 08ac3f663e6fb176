"""One fetch, however many wait; renewed ahead of expiry, so that nobody waits again.

    cold           the first caller starts the fetch, all wait for it; failing, all hear the same error,
                   and further callers hear it too until the back-off is over
    fresh          served from memory
    renewing       from 70 to 85 % of its life on, the next use starts a renewal behind the callers' backs;
                   the token is served meanwhile, and failing renewals are repeated inside what is left of it
    refused        dropped, unless it has been renewed since; a burst of refusals fetches one

A token that nobody uses is not renewed. Everything here runs in one event loop and takes no lock.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Self

from ostiary.credentials.error import CredentialError, CredentialUnreachable

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.credentials.token import Token, TokenSource

EXPIRY_MARGIN = 10.0
"""Seconds (at most a tenth of its life) that a token must still live when sent: it has a way to go."""
FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
"""Seconds between fetches that fail; doubled each time."""
REFUSED_AGAIN = 30.0
"""Seconds for which a refused token's successor is kept when it is refused too: a third would be as well."""

logger = logging.getLogger("ostiary.credentials")


class TokenCache:
    """Tokens by key. `limit` bounds how many are kept; the oldest goes first."""

    def __init__(self, clock: Callable[[], float] = time.time, *, limit: int = 10_000) -> None:
        self._clock = clock
        self._limit = limit
        self._held: dict[Hashable, _Held] = {}
        self._fetches: set[asyncio.Task[Token]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def ready(self, key: Hashable) -> Token | None:
        """The token at hand, or None. Starts its renewal when that is due."""
        held = self._held.get(key)
        if held is None:
            return None
        now = self._clock()
        if now >= held.renew_at:
            if now >= held.unusable_at:
                return None
            if now >= held.retry_at and held.fetch is None:
                self._start(held)
        return held.token

    async def get(self, key: Hashable, source: TokenSource) -> Token:
        """The token at hand, or a fetched one. Raises what the fetch raised."""
        token = self.ready(key)
        if token is not None:
            return token
        held = self._held.get(key) or self._hold(key, source)
        if held.fetch is None:
            if held.failure is not None and self._clock() < held.retry_at:
                raise held.failure.with_traceback(None)
            self._start(held)
        assert held.fetch is not None  # noqa: S101 - for the type checker: _start has just set it
        return await asyncio.shield(held.fetch)

    def drop(self, key: Hashable, token: Token) -> bool:
        """Forget a refused token, if it is still the one we have. True when another try makes sense."""
        held = self._held.get(key)
        if held is None or held.token is not token:
            return True
        return held.drop(self._clock())

    async def close(self) -> None:
        """Stop what is under way."""
        fetches = list(self._fetches)
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        self._held.clear()

    def _hold(self, key: Hashable, source: TokenSource) -> _Held:
        if len(self._held) >= self._limit:
            del self._held[next(iter(self._held))]
        held = self._held[key] = _Held(source)
        return held

    def _start(self, held: _Held) -> None:
        held.fetch = asyncio.create_task(self._fetch(held))
        self._fetches.add(held.fetch)
        held.fetch.add_done_callback(self._finished)

    async def _fetch(self, held: _Held) -> Token:
        try:
            token = await held.source.fetch()
            _require_some_life(token, held.source, self._clock())
            held.accept(token, self._clock())
        except CredentialError as failure:
            held.fail(failure, self._clock())
            raise
        finally:
            held.fetch = None
        return token

    def _finished(self, fetch: asyncio.Task[Token]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled() and (error := fetch.exception()) is not None:
            logger.warning("token fetch failed: %s", error)


class _Held:
    """One key's token, and what is known about the next one."""

    __slots__ = (
        "_back_off",
        "_last_was_refused",
        "_replaced_refused_at",
        "failure",
        "fetch",
        "renew_at",
        "retry_at",
        "source",
        "token",
        "unusable_at",
    )

    def __init__(self, source: TokenSource) -> None:
        self.source = source
        self.token: Token | None = None
        self.renew_at = self.unusable_at = self.retry_at = 0.0
        self.fetch: asyncio.Task[Token] | None = None
        self.failure: CredentialError | None = None
        self._back_off = FIRST_BACK_OFF
        self._last_was_refused = False
        self._replaced_refused_at = float("-inf")

    def accept(self, token: Token, now: float) -> None:
        """Keep a new token and plan its renewal, at a moment of its own so that many don't come at once."""
        self.token = token
        self.failure, self._back_off, self.retry_at = None, FIRST_BACK_OFF, 0.0
        self._replaced_refused_at = now if self._last_was_refused else float("-inf")
        self._last_was_refused = False
        if token.expires_at is None:
            self.renew_at = self.unusable_at = float("inf")
            return
        life = token.expires_at - now
        self.unusable_at = token.expires_at - min(EXPIRY_MARGIN, life / 10)
        self.renew_at = now + life * random.uniform(0.70, 0.85)  # noqa: S311 - spreads load, guards nothing

    def fail(self, failure: CredentialError, now: float) -> None:
        """Plan the next try; sooner when little is left of the token."""
        left = self.unusable_at - now
        pause = min(self._back_off, left / 2) if left > 0 else self._back_off
        self.failure, self.retry_at = failure, now + pause * random.uniform(0.8, 1.0)  # noqa: S311
        self._back_off = min(self._back_off * 2, LONGEST_BACK_OFF)

    def drop(self, now: float) -> bool:
        """Forget the token, unless it replaced a refused one a moment ago."""
        if now - self._replaced_refused_at < REFUSED_AGAIN:
            return False
        self.token, self.renew_at, self.unusable_at = None, 0.0, 0.0
        self._last_was_refused = True
        return True


def _require_some_life(token: Token, source: TokenSource, now: float) -> None:
    """A token that is over on arrival would be fetched again for every call."""
    if token.expires_at is not None and token.expires_at <= now:
        raise CredentialUnreachable(
            f"its issuer gave a token that ended {now - token.expires_at:.0f} seconds ago by our clock",
            credential=source.credential,
            endpoint=source.endpoint,
            fix="set the clock right, here or there",
        )
