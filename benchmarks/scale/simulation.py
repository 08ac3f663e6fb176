"""What no formula says: memories that overflow, renewals that spread, everybody at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from benchmarks.scale.fleet import Fleet
from ostiary.credentials.tokens.held_token import HeldToken
from ostiary.credentials.tokens.token import Token
from ostiary.identity.verified_tokens import VerifiedTokens
from ostiary.secrets import Secret

TRIED = 400_000
"""Calls that one replica is played with."""


@cache
def remembered_share(fleet: Fleet, most: int, seconds: float) -> float:
    """The share of one replica's calls whose token it knows from before.

    most: tokens that it remembers, the oldest going first; seconds: how long it believes each. Callers come
    at random; people and memory are made smaller alike, so that the play is short.
    """
    here = max(1, int(fleet.people / (fleet.replicas if fleet.is_sticky else 1)))
    rate = fleet.calls / fleet.replicas
    shrunk = max(1.0, here / 10_000)
    people, places, pace = int(here / shrunk), max(1, int(most / shrunk)), rate / shrunk
    chance = random.Random(here)
    memory: VerifiedTokens[float] = VerifiedTokens(places)
    now, known, counted = 0.0, 0, 0
    for number in range(TRIED):
        now += 1 / pace
        token = str(chance.randrange(people))
        until = memory.get(token)
        is_known = until is not None and now < until
        if number > TRIED // 2:
            counted += 1
            known += is_known
        if not is_known:
            memory.remember(token, now + seconds)
    return known / counted


def renewals(tokens: int, life: float, *, together: float, seconds: int, every: int) -> Sequence[float]:
    """Fetches a second of so many tokens that are in use, in steps of `every` seconds.

    life: of each; together: seconds within which all were fetched for the first time, as after a restart.
    """
    counts = [0] * (seconds // every)
    for number in range(tokens):
        held = HeldToken(number, None)  # type: ignore[arg-type]  # nothing is fetched
        now = together * number / tokens
        while now < len(counts) * every:
            counts[int(now // every)] += 1
            held.accept(Token(Secret("x"), now + life), now)
            now = held.renew_at
    return [count / every for count in counts]


def herd(people: int, *, calls: float, capacity: float, seconds: int) -> Sequence[float]:
    """How many wait for an upstream token, second by second, when no gateway knows any.

    calls: a second, of people who come at random; capacity: exchanges a second.
    """
    without, waiting, told = float(people), 0.0, []
    for _ in range(seconds):
        come = calls * without / people
        without -= come
        waiting = max(0.0, waiting + come - capacity)
        told.append(waiting)
    return told
