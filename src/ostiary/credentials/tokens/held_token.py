"""One key's token, and when the next one is due. Time is a parameter."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ostiary.credentials.error import (
    CredentialError,
    CredentialMisconfigured,
    CredentialUnreachable,
    ReauthenticationRequired,
)

if TYPE_CHECKING:
    import asyncio

    from ostiary.credentials.tokens.token import Token, TokenSource

EXPIRY_MARGIN = 10.0
"""Seconds (at most a tenth of its life) before a token's end in which its renewal is waited for."""
FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
"""Seconds between fetches that fail, or bring tokens that no server takes; doubled each time."""
MOST_VERSIONS = 16
"""How many secrets, or tokens of one caller, are tried before the pause holds for all."""
ATTENTION_PAUSE = 300.0
"""Seconds between fetches that fail for good: somebody may have mended it at the issuer."""
CONNECTING_PAUSE = 0.25
"""Seconds after which an account is asked for again that was not connected: nobody connects one in less."""
LONGEST_RETRY_AFTER = 3600.0
"""Seconds that an issuer can make us wait."""


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


class HeldToken:
    """One key's token, and what is known about the next one."""

    __slots__ = (
        "_back_off",
        "_kept_until",
        "_trial",
        "_tried",
        "failure",
        "fetch",
        "key",
        "on_trial",
        "refused",
        "renew_at",
        "retry_at",
        "source",
        "started_at",
        "token",
        "version",
        "wait_from",
    )

    def __init__(self, key: Hashable, source: TokenSource) -> None:
        self.key = key
        self.source = source
        self.token: Token | None = None
        self.refused: Token | None = None
        self.renew_at = self.wait_from = self.retry_at = self.started_at = 0.0
        self.fetch: asyncio.Task[Token] | None = None
        self.failure: CredentialError | None = None
        self.version: Hashable = None
        self.on_trial = False
        self._back_off = self._trial = FIRST_BACK_OFF
        self._kept_until = 0.0
        self._tried: set[Hashable] = set()

    def may_try(self, now: float) -> bool:
        """Whether another fetch is due: the pause is over, or what it failed with has been changed."""
        if now >= self.retry_at:
            return True
        if self._told_when or not isinstance(self.source, Rotating) or len(self._tried) >= MOST_VERSIONS:
            return False
        return self.source.version() not in self._tried

    @property
    def _told_when(self) -> bool:
        return isinstance(self.failure, CredentialUnreachable) and self.failure.retry_after is not None

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
        self.on_trial, self._kept_until = self.refused is not None, now + self._trial
        self.token, self.refused = token, None
        self.failure, self._back_off, self.retry_at = None, FIRST_BACK_OFF, 0.0
        self._tried.clear()
        if token.expires_at is None:
            self.renew_at = self.wait_from = float("inf")
            return
        life = token.expires_at - now
        self.wait_from = token.expires_at - min(EXPIRY_MARGIN, life / 10)
        self.renew_at = now + life * random.uniform(0.70, 0.85)  # noqa: S311 - spreads load, guards nothing

    def fail(self, failure: CredentialError, now: float) -> None:
        """Plan the next try."""
        self._tried.add(self.version)
        self.failure, self.retry_at = failure, now + self._pause(failure, now)
        self._back_off = min(self._back_off * 2, LONGEST_BACK_OFF)

    def _pause(self, failure: CredentialError, now: float) -> float:
        """As the issuer says, else doubled each time; sooner when little is left of the token."""
        if isinstance(failure, CredentialMisconfigured):
            return ATTENTION_PAUSE
        if isinstance(failure, ReauthenticationRequired):
            return CONNECTING_PAUSE
        if isinstance(failure, CredentialUnreachable) and failure.retry_after is not None:
            return min(max(failure.retry_after, FIRST_BACK_OFF), LONGEST_RETRY_AFTER)
        left = self.wait_from - now
        pause = min(self._back_off, left / 2) if left > 0 else self._back_off
        return pause * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing

    def still_good(self, now: float) -> Token | None:
        """The token, until its very end."""
        token = self.token
        if token is None or (token.expires_at is not None and now >= token.expires_at):
            return None
        return token

    def forget(self) -> None:
        """Serve the token no more. Nobody refused it, so what comes next is not on trial."""
        self.token, self.renew_at, self.wait_from = None, 0.0, 0.0

    def drop(self, now: float) -> bool:
        """Forget the token, unless it is on trial and its pause is not over."""
        if self.on_trial and now < self._kept_until:
            return False
        self._trial = min(self._trial * 2, LONGEST_BACK_OFF) if self.on_trial else FIRST_BACK_OFF
        self.token, self.refused, self.renew_at, self.wait_from = None, self.token, 0.0, 0.0
        return True
