"""Signing in at another device, RFC 8628."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.device_code import (
    ALPHABET,
    DeviceState,
    Poll,
    PollAnswer,
    decide_poll,
    normal_user_code,
    user_code,
)
from ostiary.oauth.server.errors import OAuthError

WAITING = DeviceState(expires_at=600, interval=5, last_polled_at=100)


def test_a_code_has_letters_that_nobody_mistakes() -> None:
    assert ALPHABET == "BCDFGHJKLMNPQRSTVWXZ"
    assert user_code(bytes(16)) == "BBBB-BBBB"
    assert user_code(b"\xff" * 16) != user_code(b"\xfe" * 16)


def test_every_letter_is_as_likely_at_every_place() -> None:
    codes = {user_code(number.to_bytes(16)).replace("-", "") for number in range(20**3)}
    assert len(codes) == 20**3
    for place in range(3):
        assert {code[place] for code in codes} == set(ALPHABET)


def test_too_little_randomness_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^a user code needs 16 random bytes$"):
        user_code(bytes(8))


@pytest.mark.parametrize(
    "typed", ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "WDJB\u2013MJHT", "w-d-j-b-m-j-h-t", "wdjb.mjht"]
)
def test_what_a_person_types_is_read_kindly(typed: str) -> None:
    assert normal_user_code(typed) == "WDJB-MJHT"


@pytest.mark.parametrize(
    "typed", ["", "WDJB-MJH", "WDJB-MJHTT", "ADJB-MJHT", "WDJB-MJH1", "ŴDJB-MJHT", "W" * 99]
)
def test_what_is_no_code_is_none(typed: str) -> None:
    assert normal_user_code(typed) is None


def test_a_code_is_its_own_normal_form() -> None:
    code = user_code(bytes(range(16)))
    assert normal_user_code(code) == code


@pytest.mark.parametrize(
    ("state", "now", "answer"),
    [
        (DeviceState(600), 0, PollAnswer(Poll.PENDING, 5)),
        (WAITING, 105, PollAnswer(Poll.PENDING, 5)),
        (WAITING, 104.2, PollAnswer(Poll.PENDING, 5)),
        (WAITING, 101, PollAnswer(Poll.SLOW_DOWN, 10)),
        (DeviceState(600, 10, 100), 108, PollAnswer(Poll.SLOW_DOWN, 15)),
        (WAITING, 600, PollAnswer(Poll.EXPIRED, 5)),
        (DeviceState(600, 5, 100, "granted"), 101, PollAnswer(Poll.READY, 5)),
        (DeviceState(600, 5, 100, "denied"), 101, PollAnswer(Poll.DENIED, 5)),
        (DeviceState(600, 5, 100, "granted"), 600, PollAnswer(Poll.EXPIRED, 5)),
        (DeviceState(600, 5, 100, "granted", spent=True), 101, PollAnswer(Poll.SPENT, 5)),
        (DeviceState(600, 5, 100, "granted", spent=True), 700, PollAnswer(Poll.SPENT, 5)),
    ],
)
def test_a_device_hears_what_its_code_is_worth(state: DeviceState, now: float, answer: PollAnswer) -> None:
    assert decide_poll(state, now=now) == answer


@pytest.mark.parametrize(
    ("poll", "error", "sentence"),
    [
        (Poll.PENDING, "authorization_pending", "nobody has decided yet; ask again"),
        (Poll.SLOW_DOWN, "slow_down", "wait 5 seconds longer between two questions"),
        (Poll.EXPIRED, "expired_token", "the device code has expired; begin again"),
        (Poll.DENIED, "access_denied", "the person said no"),
        (Poll.SPENT, "invalid_grant", "the device code was used"),
    ],
)
def test_each_answer_has_its_error(poll: Poll, error: str, sentence: str) -> None:
    refusal = PollAnswer(poll, 5).refusal
    assert isinstance(refusal, OAuthError)
    assert (refusal.error, refusal.description) == (error, sentence)


def test_who_is_ready_is_not_refused() -> None:
    assert PollAnswer(Poll.READY, 5).refusal is None
