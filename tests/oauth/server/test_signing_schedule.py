"""Keys that sign, wait and go; no replica refuses what another one signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.server.signing_schedule import (
    KeyState,
    KeyTimes,
    lead,
    new_key_times,
    next_change,
    next_rotation,
    published_keys,
    signing_key,
    state_of,
    tail,
)

OLD = KeyTimes(0, 0, kid="old")
NEW = KeyTimes(900, 1000, kid="new")
BOTH = [OLD, NEW]

VIEW_AGE, MAX_AGE, LIFE, SKEW, ROTATE_EVERY = 30, 300, 900, 15, 3000
"""A replica's view is up to 30 s old, a JWKS is cached for 300 s, clocks are 15 s off to either side."""


@pytest.mark.parametrize(
    ("now", "old", "new"),
    [
        (950, KeyState.ACTIVE, KeyState.NEXT),
        (999, KeyState.ACTIVE, KeyState.NEXT),
        (1000, KeyState.RETIRING, KeyState.ACTIVE),
        (1499, KeyState.RETIRING, KeyState.ACTIVE),
        (1500, KeyState.GONE, KeyState.ACTIVE),
    ],
)
def test_a_key_waits_signs_retires_and_goes(now: float, old: KeyState, new: KeyState) -> None:
    assert (state_of(OLD, BOTH, now, keep=500), state_of(NEW, BOTH, now, keep=500)) == (old, new)


def test_without_an_end_a_superseded_key_stays_published() -> None:
    assert state_of(OLD, BOTH, 1e12) is KeyState.RETIRING


def test_an_end_that_is_stored_holds() -> None:
    key = KeyTimes(0, 0, gone_at=1200, kid="old")
    assert [state_of(key, [key, NEW], now, keep=10) for now in (1100, 1199, 1200)] == [
        KeyState.RETIRING,
        KeyState.RETIRING,
        KeyState.GONE,
    ]


def test_a_key_that_a_person_retired_signs_no_more_and_is_not_replaced_by_an_older_one() -> None:
    retired = KeyTimes(900, 1000, retires_at=1100, kid="new")
    keys = [OLD, retired]
    assert state_of(retired, keys, 1100, keep=500) is KeyState.RETIRING
    assert state_of(retired, keys, 1600, keep=500) is KeyState.GONE
    assert state_of(OLD, keys, 1100, keep=500) is KeyState.ACTIVE  # still published, so its signature is good


def test_a_key_that_is_gone_never_signs() -> None:
    assert signing_key([KeyTimes(0, 0, gone_at=50)], 60) is None
    assert signing_key([], 60) is None


def test_two_replicas_that_make_a_key_at_once_sign_with_the_same_one() -> None:
    one, other = KeyTimes(900, 1000, kid="a"), KeyTimes(900, 1000, kid="b")
    assert signing_key([OLD, one, other], 1000) == signing_key([other, OLD, one], 1000) == other
    assert state_of(one, [OLD, one, other], 1100, keep=500) is KeyState.RETIRING


def test_a_key_that_was_overtaken_while_it_waited_never_signs_and_goes() -> None:
    overtaken, quick = KeyTimes(0, 500, kid="slow"), KeyTimes(100, 501, kid="quick")
    assert state_of(overtaken, [overtaken, quick], 400, keep=50) is KeyState.NEXT
    assert state_of(overtaken, [overtaken, quick], 551, keep=50) is KeyState.GONE


def test_a_jwks_has_the_signing_key_first_and_no_gone_one() -> None:
    gone, later = KeyTimes(0, -500, kid="gone"), KeyTimes(1000, 2000, kid="later")
    keys = [later, gone, OLD, NEW]
    assert [key.kid for key in published_keys(keys, 1100, keep=500)] == ["new", "later", "old"]


@pytest.mark.parametrize(
    ("keys", "now", "due"),
    [
        ([], 7, 7),
        ([OLD], 10, 900),
        ([OLD], 950, 950),
        (BOTH, 950, None),
        (BOTH, 1000, 1900),
        ([KeyTimes(0, 0, retires_at=500)], 10, 400),
        ([OLD, KeyTimes(900, 1000, gone_at=940)], 950, 950),
        ([KeyTimes(0, 0, retires_at=500), KeyTimes(0, 5000)], 600, 600),
    ],
)
def test_a_new_key_is_due_so_early_that_everybody_has_it_in_time(
    keys: list[KeyTimes], now: float, due: float | None
) -> None:
    assert next_rotation(keys, now=now, rotate_every=1000, publish_ahead=100) == due


def test_without_an_interval_only_people_rotate() -> None:
    assert next_rotation([OLD], now=1e9, rotate_every=None, publish_ahead=100) is None


def test_the_first_key_signs_at_once_and_the_next_one_waits() -> None:
    assert new_key_times([], now=5, publish_ahead=100, kid="a") == KeyTimes(5, 5, kid="a")
    assert new_key_times([OLD], now=5, publish_ahead=100, kid="b") == KeyTimes(5, 105, kid="b")


def refused_tokens(*, publish_ahead: float, keep: float) -> list[tuple[int, int]]:
    """(signed at, refused at) of five rotations, whichever replica signs, publishes and verifies."""
    keys = [KeyTimes(0, 0, kid="0")]
    for moment in range(0, 6 * ROTATE_EVERY, 5):
        due = next_rotation(keys, now=moment, rotate_every=ROTATE_EVERY, publish_ahead=publish_ahead)
        if due is not None and due <= moment:
            keys.append(new_key_times(keys, now=moment, publish_ahead=publish_ahead, kid=str(len(keys))))

    def view(moment: float) -> list[KeyTimes]:
        return [key for key in keys if key.published_at <= moment]

    refused = []
    for signed_at in range(500, 5 * ROTATE_EVERY, 15):
        signers = [
            signing_key(view(signed_at - age), signed_at + skew)
            for age in (0, VIEW_AGE)
            for skew in (-SKEW, SKEW)
        ]
        last = signed_at + LIFE + 2 * SKEW  # with the leeway that those who verify give
        for used_at in (signed_at, signed_at + LIFE // 2, last - 1):
            for fetched_at in (used_at, used_at - MAX_AGE):
                for skew in (-SKEW, SKEW):
                    served = published_keys(view(fetched_at - VIEW_AGE), fetched_at + skew, keep=keep)
                    known = {key.kid for key in served}
                    refused += [
                        (signed_at, used_at) for key in signers if key is None or key.kid not in known
                    ]
    return refused


def test_no_replica_refuses_what_another_one_signed_while_keys_rotate() -> None:
    publish_ahead = lead(jwks_max_age=MAX_AGE, view_age=VIEW_AGE)
    keep = tail(longest_life=LIFE, view_age=VIEW_AGE)
    assert refused_tokens(publish_ahead=publish_ahead, keep=keep) == []


def test_with_less_time_before_or_after_some_token_is_refused() -> None:
    publish_ahead = lead(jwks_max_age=MAX_AGE, view_age=VIEW_AGE)
    keep = tail(longest_life=LIFE, view_age=VIEW_AGE)
    assert refused_tokens(publish_ahead=publish_ahead - 2 * SKEW - VIEW_AGE, keep=keep)
    assert refused_tokens(publish_ahead=publish_ahead, keep=keep - 4 * SKEW - VIEW_AGE)


MOMENTS = st.integers(0, 12).map(float)
KEYS = st.lists(
    st.builds(KeyTimes, MOMENTS, MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS), max_size=4
).map(lambda keys: [KeyTimes(*_moments(key), kid=str(number)) for number, key in enumerate(keys)])


def _moments(key: KeyTimes) -> tuple[float, float, float | None, float | None]:
    return key.published_at, key.active_at, key.retires_at, key.gone_at


@given(KEYS, MOMENTS, MOMENTS)
def test_until_the_next_change_each_key_does_the_same(keys: list[KeyTimes], now: float, keep: float) -> None:
    def standing(at: float) -> tuple[KeyTimes | None, list[KeyTimes]]:
        return signing_key(keys, at), published_keys(keys, at, keep=keep)

    change = next_change(keys, now, keep=keep)
    assert change > now
    for step in range(1, 60):
        later = now + step / 2
        if later < change:
            assert standing(later) == standing(now)
