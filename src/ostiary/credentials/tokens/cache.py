"""One fetch, however many wait; renewed ahead of expiry, so that nobody waits again.

    cold           the first caller starts the fetch, all wait for it; failing, all hear the same error,
                   and further callers hear it too until the back-off is over
    fresh          served from memory
    renewing       from 70 to 85 % of its life on, the next use starts a renewal behind the callers' backs;
                   the token is served meanwhile, and failing renewals are repeated inside what is left of it
    refused        dropped, unless it has been renewed since; a burst of refusals fetches one
    needs          the issuer said no for good: nobody asks again before somebody has changed a secret,
    attention      or five minutes are over; a token that is still good is served until its end

A token that nobody uses is not renewed. Everything here runs in one event loop and takes no lock.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from ostiary.credentials.error import CredentialError, CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.tokens.shared import Shareable

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.credentials.tokens.shared import SharedTokens
    from ostiary.credentials.tokens.token import Token, TokenSource

EXPIRY_MARGIN = 10.0
"""Seconds (at most a tenth of its life) that a token must still live when sent: it has a way to go."""
FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
"""Seconds between fetches that fail; doubled each time."""
REFUSED_AGAIN = 30.0
"""Seconds for which a refused token's successor is kept when it is refused too: a third would be as well."""
ATTENTION_PAUSE = 300.0
"""Seconds between fetches that fail for good: somebody may have mended it at the issuer."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds that an issuer can make us wait."""

logger = logging.getLogger("ostiary.credentials")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """How it stands with one token. Times are seconds since the epoch, None where there is none."""

    expires_at: float | None
    renew_after: float | None
    """From when on its next use renews it; when its renewal failed, when the next try is due."""
    last_error: str | None
    """What the last fetch failed with; None after one that succeeded. There is no secret in it."""
    needs_attention: bool
    """Whether somebody has to change something before it will work again."""


@runtime_checkable
class Rotating(Protocol):
    """A token source that knows whether what it is configured with has changed."""

    def version(self) -> Hashable:
        """Another value when a secret is another one. Quick; never raises."""


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
        limit: int = 10_000,
        shared: SharedTokens | None = None,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._shared = shared
        self._held: dict[Hashable, _Held] = {}
        self._fetches: set[asyncio.Task[Token]] = set()

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
            if now >= held.unusable_at:
                return None
            held.source = source or held.source
            if held.fetch is None and held.may_try(now):
                self._start(held)
        return held.token

    async def get(self, key: Hashable, source: TokenSource) -> Token:
        """The token at hand, or a fetched one. Raises what the fetch raised."""
        token = self.ready(key, source)
        if token is not None:
            return token
        held = self._held.get(key) or self._hold(key, source)
        held.source = source
        if held.fetch is None:
            if held.failure is not None and not held.may_try(self._clock()):
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

    def _hold(self, key: Hashable, source: TokenSource) -> _Held:
        if len(self._held) >= self._limit:
            del self._held[next(iter(self._held))]
        held = self._held[key] = _Held(key, source)
        return held

    def _start(self, held: _Held) -> None:
        held.fetch = asyncio.create_task(self._fetch(held))
        self._fetches.add(held.fetch)
        held.fetch.add_done_callback(self._finished)

    async def _fetch(self, held: _Held) -> Token:
        held.version = held.source.version() if isinstance(held.source, Rotating) else None
        try:
            token = await self._obtain(held)
            _require_some_life(token, held.source, self._clock())
            held.accept(token, self._clock())
        except CredentialError as failure:
            held.fail(failure, self._clock())
            raise
        finally:
            held.fetch = None
        return token

    async def _obtain(self, held: _Held) -> Token:
        source = held.source
        if self._shared is None or not isinstance(source, Shareable) or not source.shareable:
            return await source.fetch()
        return await self._shared.obtain(held.key, source, refused=held.refused)

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
        "key",
        "refused",
        "renew_at",
        "retry_at",
        "source",
        "token",
        "unusable_at",
        "version",
    )

    def __init__(self, key: Hashable, source: TokenSource) -> None:
        self.key = key
        self.source = source
        self.token: Token | None = None
        self.refused: Token | None = None
        self.renew_at = self.unusable_at = self.retry_at = 0.0
        self.fetch: asyncio.Task[Token] | None = None
        self.failure: CredentialError | None = None
        self.version: Hashable = None
        self._back_off = FIRST_BACK_OFF
        self._last_was_refused = False
        self._replaced_refused_at = float("-inf")

    def may_try(self, now: float) -> bool:
        """Whether another fetch is due: the pause is over, or what failed for good has been changed."""
        if now >= self.retry_at:
            return True
        if not isinstance(self.failure, CredentialMisconfigured) or not isinstance(self.source, Rotating):
            return False
        return self.source.version() != self.version

    def status(self) -> TokenStatus:
        """As of now."""
        failed = self.failure is not None
        return TokenStatus(
            None if self.token is None else self.token.expires_at,
            (self.retry_at if failed else self.renew_at) if self.token is not None else None,
            str(self.failure) if failed else None,
            isinstance(self.failure, CredentialMisconfigured),
        )

    def accept(self, token: Token, now: float) -> None:
        """Keep a new token and plan its renewal, at a moment of its own so that many don't come at once."""
        self.token, self.refused = token, None
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
        """Plan the next try."""
        self.failure, self.retry_at = failure, now + self._pause(failure, now)
        self._back_off = min(self._back_off * 2, LONGEST_BACK_OFF)

    def _pause(self, failure: CredentialError, now: float) -> float:
        """As the issuer says, else doubled each time; sooner when little is left of the token."""
        if isinstance(failure, CredentialMisconfigured):
            return ATTENTION_PAUSE
        if isinstance(failure, CredentialUnreachable) and failure.retry_after is not None:
            return min(max(failure.retry_after, FIRST_BACK_OFF), LONGEST_RETRY_AFTER)
        left = self.unusable_at - now
        pause = min(self._back_off, left / 2) if left > 0 else self._back_off
        return pause * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing

    def drop(self, now: float) -> bool:
        """Forget the token, unless it replaced a refused one a moment ago."""
        if now - self._replaced_refused_at < REFUSED_AGAIN:
            return False
        self.token, self.refused, self.renew_at, self.unusable_at = None, self.token, 0.0, 0.0
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
