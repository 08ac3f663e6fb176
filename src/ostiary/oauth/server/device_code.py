"""Signing in at another device: the code that a person types, and what the device hears. RFC 8628."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ostiary.oauth.server.errors import (
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    OAuthError,
    RequestDenied,
    SlowDown,
)

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Letters that are not mistaken for others, and make no words (section 6.1)."""
LENGTH = 8
INTERVAL = 5.0
"""Seconds between two questions, and what is added for a device that does not wait (section 3.5)."""
_JITTER = 1.0
"""Seconds by which a punctual question may come early, as networks hold up some and not others."""


class Poll(StrEnum):
    """What a device hears."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired"
    DENIED = "denied"
    SPENT = "spent"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device code as it is stored; times in seconds since the epoch."""

    expires_at: float
    interval: float = INTERVAL
    last_polled_at: float | None = None
    decision: Literal["granted", "denied"] | None = None
    """What the person decided, if they did."""
    spent: bool = False
    """Whether its tokens were given."""


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The answer, and the interval that holds from now on."""

    poll: Poll
    interval: float

    @property
    def refusal(self) -> OAuthError | None:
        """What to raise; None when tokens are due."""
        return None if self.poll is Poll.READY else _REFUSALS[self.poll][0](_REFUSALS[self.poll][1])


_REFUSALS: dict[Poll, tuple[type[OAuthError], str]] = {
    Poll.PENDING: (AuthorizationPending, "nobody has decided yet; ask again"),
    Poll.SLOW_DOWN: (SlowDown, f"wait {INTERVAL:.0f} seconds longer between two questions"),
    Poll.EXPIRED: (ExpiredToken, "the device code has expired; begin again"),
    Poll.DENIED: (RequestDenied, "the person said no"),
    Poll.SPENT: (InvalidGrant, "the device code was used"),
}


def user_code(entropy: bytes) -> str:
    """The code to be typed, such as `WDJB-MJHT`.

    entropy: 16 random bytes at least, so that no letter is likelier.
    """
    if len(entropy) < 16:
        raise ValueError("a user code needs 16 random bytes")
    number = int.from_bytes(entropy)
    letters = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return _shown("".join(letters))


def normal_user_code(text: str) -> str | None:
    """What a person typed, as `user_code` writes it; None for what is no code.

    Case, blanks and dashes don't matter.
    """
    if len(text) > 4 * LENGTH:
        return None
    letters = "".join(letter for letter in text.upper() if letter not in " -\t.\u2010\u2011\u2013")
    return _shown(letters) if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else None


def decide_poll(state: DeviceState, *, now: float) -> PollAnswer:
    """What a device that asks now is told: a decision at once; only who waits has to wait properly."""
    if state.spent:
        return PollAnswer(Poll.SPENT, state.interval)
    if now >= state.expires_at:
        return PollAnswer(Poll.EXPIRED, state.interval)
    if state.decision is not None:
        return PollAnswer(Poll.READY if state.decision == "granted" else Poll.DENIED, state.interval)
    if state.last_polled_at is not None and now - state.last_polled_at < state.interval - _JITTER:
        return PollAnswer(Poll.SLOW_DOWN, state.interval + INTERVAL)
    return PollAnswer(Poll.PENDING, state.interval)


def _shown(letters: str) -> str:
    return f"{letters[: LENGTH // 2]}-{letters[LENGTH // 2 :]}"
