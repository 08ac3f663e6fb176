"""Lines of which strangers can cause any number."""

from __future__ import annotations

from ostiary.telemetry.floods import OF_KIND, OF_SOURCE, SECONDS, Floods, Untold


def told(floods: Floods[str], kind: str, source: str | None, lines: int, now: float = 0.0) -> int:
    """How many of so many lines are told."""
    return sum(floods.tells(kind, source, now) for _ in range(lines))


def test_a_source_has_its_share_and_the_rest_is_counted() -> None:
    floods = Floods[str]()
    assert told(floods, "refused", "a", 100) == OF_SOURCE
    assert told(floods, "refused", "b", 5) == 5
    assert list(floods.ended(SECONDS - 1)) == []
    assert list(floods.ended(SECONDS)) == [Untold("refused", "a", 100 - OF_SOURCE)]
    assert list(floods.ended(SECONDS)) == []
    assert told(floods, "refused", "a", 1, SECONDS) == 1


def test_all_sources_together_have_a_bound_and_fill_no_memory() -> None:
    floods = Floods[str]()
    for number in range(10_000):
        floods.tells("refused", f"source-{number}", 0.0)
    assert len(floods._spans["refused"].of_source) == OF_KIND
    assert list(floods.ended(SECONDS)) == [Untold("refused", None, 10_000 - OF_KIND)]


def test_kinds_do_not_share_a_bound() -> None:
    floods = Floods[str]()
    assert told(floods, "refused", None, 1000) == OF_KIND
    assert told(floods, "failed", None, 10) == 10


def test_whoever_stops_tells_what_was_counted_so_far() -> None:
    floods = Floods[str]()
    told(floods, "refused", "a", OF_SOURCE + 3)
    assert floods.are_counted
    assert list(floods.all()) == [Untold("refused", "a", 3)]
    assert not floods.are_counted


def test_a_clock_that_goes_back_ends_the_minute() -> None:
    floods = Floods[str]()
    told(floods, "refused", "a", OF_SOURCE + 3, now=10_000.0)
    assert list(floods.ended(5.0)) == [Untold("refused", "a", 3)]
