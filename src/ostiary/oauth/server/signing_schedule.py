"""Which signing key does what, and when the next one is due. RFC 7517; RFC 9068 section 4.

    next      published, so that whoever verifies has it before it signs
    active    signs; the latest one whose time has come
    retiring  signs no more, and stays published until no token of its is alive
    gone      verifies nothing

All of it follows from the keys' times, so replicas that know the same keys agree without a word.
A replica may know the keys of `view_age` seconds ago, and its clock may be LEEWAY off: `lead` and `tail`
are long enough that what it signs is verifiable at every other one all the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from ostiary.oauth.jwt_claims import LEEWAY


class KeyState(StrEnum):
    """What a key is there for."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """The moments of one key's life, in seconds since the epoch."""

    published_at: float
    active_at: float
    """When it begins to sign."""
    retires_at: float | None = None
    """When it stops although no other takes over, as an operator may say."""
    gone_at: float | None = None
    """When it verifies nothing any more; None for `keep` after it stopped to sign."""
    kid: str = ""


def state_of(
    key: KeyTimes, all_keys: Collection[KeyTimes], now: float, *, keep: float = math.inf
) -> KeyState:
    """The state of one of these keys.

    keep: seconds for which a key stays published after it stopped to sign, at least `tail`; without it, and
    without a `gone_at`, a key stays.
    """
    if _has_ended(key, all_keys, now, keep):
        return KeyState.GONE
    if now < key.active_at:
        return KeyState.NEXT
    return KeyState.ACTIVE if key == signing_key(all_keys, now) else KeyState.RETIRING


def signing_key(keys: Collection[KeyTimes], now: float) -> KeyTimes | None:
    """The key that signs; None when there is none, and then nothing may be signed."""
    candidates = [key for key in keys if key.active_at <= now and not _stopped_by_hand(key, now)]
    return max(candidates, key=_order, default=None)


def published_keys(keys: Collection[KeyTimes], now: float, *, keep: float = math.inf) -> list[KeyTimes]:
    """What the JWKS holds: all but the gone, the signing key first."""
    states = {KeyState.ACTIVE: 0, KeyState.NEXT: 1, KeyState.RETIRING: 2}
    alive = [
        (states[state], key)
        for key in keys
        if (state := state_of(key, keys, now, keep=keep)) is not KeyState.GONE
    ]
    return [key for _, key in sorted(alive, key=lambda pair: (pair[0], _order(pair[1])))]


def next_change(keys: Collection[KeyTimes], now: float, *, keep: float = math.inf) -> float:
    """The next moment at which a key may be something else; infinity when none ever is.

    Until then `signing_key` and `published_keys` give the same.
    """
    stops = (_stops_signing_at(key, keys) for key in keys)
    moments = [
        *(moment for key in keys for moment in (key.active_at, key.retires_at, key.gone_at)),
        *(None if stop is None else stop + keep for stop in stops),
    ]
    return min((moment for moment in moments if moment is not None and moment > now), default=math.inf)


def next_rotation(
    keys: Collection[KeyTimes], *, now: float, rotate_every: float | None, publish_ahead: float
) -> float | None:
    """When a new key must be made, `now` at the earliest. None: not needed, as one is waiting already.

    rotate_every: seconds that a key signs; None when only people rotate.
    """
    active = signing_key(keys, now)
    if active is None:
        return now  # even when one waits: until then nothing could be signed
    if any(key.active_at > now and not _stopped_by_hand(key, now) for key in keys):
        return None
    ends = [active.retires_at, active.gone_at]
    if rotate_every is not None:
        ends.append(active.active_at + rotate_every)
    due = min((end for end in ends if end is not None), default=None)
    return None if due is None else max(now, due - publish_ahead)


def new_key_times(keys: Collection[KeyTimes], *, now: float, publish_ahead: float, kid: str = "") -> KeyTimes:
    """The times of a key that is made now: it waits to be seen, unless nothing can be signed without it."""
    signs_at_once = signing_key(keys, now) is None
    return KeyTimes(now, now if signs_at_once else now + publish_ahead, kid=kid)


def lead(*, jwks_max_age: float, view_age: float) -> float:
    """The least `publish_ahead`: by then every cached JWKS and every replica's view has the new key."""
    return jwks_max_age + view_age + LEEWAY


def tail(*, longest_life: float, view_age: float) -> float:
    """The least `keep`: by then the last token that a key signed has expired, for every clock."""
    return longest_life + view_age + 2 * LEEWAY


def _has_ended(key: KeyTimes, keys: Collection[KeyTimes], now: float, keep: float) -> bool:
    if key.gone_at is not None:
        return now >= key.gone_at
    ended_at = _stops_signing_at(key, keys)
    return ended_at is not None and now >= ended_at + keep


def _stops_signing_at(key: KeyTimes, keys: Collection[KeyTimes]) -> float | None:
    """When another key takes over, or it is told to stop; one that never signed, when it would begin."""
    ends = [max(other.active_at, key.active_at) for other in keys if _order(other) > _order(key)]
    if key.retires_at is not None:
        ends.append(key.retires_at)
    return min(ends, default=None)


def _stopped_by_hand(key: KeyTimes, now: float) -> bool:
    return any(end is not None and now >= end for end in (key.retires_at, key.gone_at))


def _order(key: KeyTimes) -> tuple[float, float, str]:
    """Two replicas may make a key at the same moment; all must choose the same one of them."""
    return key.active_at, key.published_at, key.kid
