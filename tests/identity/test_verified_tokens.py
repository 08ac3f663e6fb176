"""What was found about tokens is remembered of so many as the operator says."""

from __future__ import annotations

from ostiary.identity.verified_tokens import VerifiedTokens


def test_the_oldest_goes_when_there_are_as_many_as_are_remembered() -> None:
    memory: VerifiedTokens[int] = VerifiedTokens(2)
    for number, token in enumerate(("one", "two", "three")):
        memory.remember(token, number)
    assert [memory.get(token) for token in ("one", "two", "three")] == [None, 1, 2]
