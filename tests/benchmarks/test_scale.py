"""What is said of large fleets follows from what was measured, and can be drawn again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.scale import page, simulation
from benchmarks.scale.costs import measure
from benchmarks.scale.demands import demands
from benchmarks.scale.fleet import Fleet

ROOT = Path(__file__).parents[2]
COSTS = measure((ROOT / "benchmarks" / "README.md").read_text())
SCALE = ROOT / "docs" / "explanation" / "scale.md"


def test_the_page_is_drawn_again_from_costs_that_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "TRIED", 20_000)
    copy = tmp_path / "scale.md"
    copy.write_text(SCALE.read_text())
    page.write(copy, COSTS)
    simulation.remembered_share.cache_clear()
    drawn = copy.read_text()
    assert [line for line in drawn.splitlines() if line.startswith(("#", "!["))] == [
        line for line in SCALE.read_text().splitlines() if line.startswith(("#", "!["))
    ]
    for picture in (SCALE.with_suffix("")).iterdir():
        assert f"](scale/{picture.name})" in drawn
        assert (tmp_path / "scale" / picture.name).read_text().startswith("<svg")


def test_who_comes_to_one_replica_is_known_there_and_who_comes_to_any_is_not() -> None:
    fleet = Fleet()
    one, any_of_them = (
        demands(replace(fleet, is_sticky=is_sticky), COSTS, most_tokens=20_000) for is_sticky in (True, False)
    )
    assert one.verifications < fleet.calls / 5
    assert any_of_them.verifications > fleet.calls * 0.9
    assert one.exchanges < any_of_them.exchanges / 20


def test_renewals_of_tokens_that_were_fetched_together_spread() -> None:
    rates = simulation.renewals(1000, 3600.0, together=60, seconds=4 * 3600, every=60)
    first, later = rates[0], rates[5:]
    assert first == pytest.approx(1000 / 60)
    assert max(later) < first / 4
