"""How often somebody may ask: a bucket each, that fills again."""

from __future__ import annotations

import pytest

from ostiary.authserver.rates import ClientRate, RateLimit
from ostiary.oauth.server.errors import TooManyRequests
from ostiary.rates import Buckets, read_rate


def used_up(limit: RateLimit, *who: str, now: float = 0.0) -> int:
    """How many more are taken."""
    taken = 0
    while True:
        try:
            limit.take(*who, now=now)
        except TooManyRequests:
            return taken
        taken += 1


def test_a_bucket_is_emptied_and_fills_again() -> None:
    limit = RateLimit(read_rate("6/m"))
    assert used_up(limit, "app", "203.0.113.1") == 6
    with pytest.raises(TooManyRequests) as refused:
        limit.take("app", "203.0.113.1", now=0.0)
    assert refused.value.retry_after == 11
    assert used_up(limit, "app", "203.0.113.1", now=20.0) == 2
    assert used_up(limit, "app", "203.0.113.1", now=10_000.0) == 6


def test_everybody_has_their_own() -> None:
    limit = RateLimit(read_rate("2/s"))
    assert [used_up(limit, *who) for who in (("a", "1.1.1.1"), ("a", "1.1.1.2"), ("b", "1.1.1.1"))] == [
        2,
        2,
        2,
    ]


def test_one_household_does_not_get_round_it_by_its_many_ipv6_addresses() -> None:
    limit = RateLimit(read_rate("2/s"))
    assert used_up(limit, "app", "2001:db8::1") == 2
    assert used_up(limit, "app", "2001:db8::ffff:2") == 0
    assert used_up(limit, "app", "2001:db8:0:1::1") == 2
    assert used_up(limit, "https://2001.example.com/:x", "::ffff:203.0.113.1") == 2


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limit = RateLimit(read_rate("2/s"))
    assert used_up(limit, "app", now=100.0) == 2
    assert used_up(limit, "app", now=50.0) == 0
    assert used_up(limit, "app", now=51.0) == 2


def test_a_flood_of_strangers_is_forgotten() -> None:
    limit = RateLimit(read_rate("2/s"))
    limit.buckets = Buckets(read_rate("2/s"), most=100)
    for number in range(1000):
        limit.take(f"stranger-{number}" * 100, now=0.0)
    assert len(limit.buckets) == 100
    assert {len(bucket) for bucket in limit.buckets._buckets if isinstance(bucket, bytes)} == {16}


def test_whoever_asks_most_lately_is_remembered() -> None:
    limit = RateLimit(read_rate("1000/h"))
    limit.buckets = Buckets(read_rate("1000/h"), most=100)
    for number in range(1000):
        limit.take("203.0.113.1", now=0.0)
        limit.take(f"198.51.100.{number}", now=0.0)
    with pytest.raises(TooManyRequests):
        limit.take("203.0.113.1", now=0.0)


def test_addresses_of_a_listener_for_both_families_are_counted_apart() -> None:
    limit = RateLimit(read_rate("2/s"))
    assert used_up(limit, "::ffff:203.0.113.1") == 2
    assert used_up(limit, "::ffff:203.0.113.2") == 2


def test_who_has_not_proven_which_client_it_is_counts_by_its_address() -> None:
    rate = ClientRate(read_rate("3/m"))
    for name in ("a", "b", None):
        rate.ask(name, "203.0.113.1", now=0.0)
    with pytest.raises(TooManyRequests):
        rate.ask("c", "203.0.113.1", now=0.0)
    rate.ask("c", "203.0.113.2", now=0.0)


def test_a_client_that_proves_itself_has_its_own_limit_and_uses_up_nothing_of_others() -> None:
    rate = ClientRate(read_rate("3/m"))
    for _ in range(3):
        rate.ask("a", "203.0.113.1", now=0.0).is_of("a", now=0.0)
    with pytest.raises(TooManyRequests):
        rate.ask("a", "203.0.113.1", now=0.0)
    assert used_up(rate.strangers, "203.0.113.1") == 3


def test_a_workload_that_does_not_name_itself_is_limited_once_it_is_known() -> None:
    rate = ClientRate(read_rate("3/m"))
    for _ in range(3):
        rate.ask(None, "203.0.113.1", now=0.0).is_of("a", now=0.0)
    with pytest.raises(TooManyRequests):
        rate.ask(None, "203.0.113.1", now=0.0).is_of("a", now=0.0)
