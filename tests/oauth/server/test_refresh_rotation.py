"""A refresh token is used once, RFC 9700 section 4.14."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.refresh_rotation import Ended, RefreshState, Reuse, Rotate, SameSuccessor, decide

END = 1000.0


def test_a_fresh_token_is_rotated_until_it_expires() -> None:
    assert decide(RefreshState(END), now=END - 1, grace=10) == Rotate()
    assert decide(RefreshState(END), now=END, grace=10) == Ended("the refresh token has expired")


def test_who_lost_the_answer_gets_the_same_successor_again() -> None:
    spent = RefreshState(END, spent_at=100)
    assert decide(spent, now=109.9, grace=10) == SameSuccessor()


def test_the_same_successor_is_given_even_when_the_old_token_ended_meanwhile() -> None:
    assert decide(RefreshState(END, spent_at=END - 1), now=END + 1, grace=10) == SameSuccessor()


def test_another_replica_s_clock_may_be_ahead() -> None:
    assert decide(RefreshState(END, spent_at=105), now=100, grace=10) == SameSuccessor()


@pytest.mark.parametrize("now", [110, 500, END + 1])
def test_refresh_token_reuse_ends_the_family(now: float) -> None:
    assert decide(RefreshState(END, spent_at=100), now=now, grace=10) == Reuse()


def test_grace_covers_only_the_direct_predecessor() -> None:
    assert decide(RefreshState(END, spent_at=100, successor_spent=True), now=101, grace=10) == Reuse()


def test_without_grace_there_is_none() -> None:
    assert decide(RefreshState(END, spent_at=100), now=100, grace=0) == Reuse()


@pytest.mark.parametrize("spent_at", [None, 100])
def test_a_refresh_token_after_revocation_is_refused_and_revokes_nothing_more(spent_at: float | None) -> None:
    ended = RefreshState(END, spent_at=spent_at, family_ended=True)
    assert decide(ended, now=101, grace=10) == Ended("the refresh token was revoked")
