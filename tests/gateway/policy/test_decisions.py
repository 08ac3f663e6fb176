"""Decisions are kept with whom they are about, bounded, and end with the policies that made them."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.policy.conftest import policies, principal

from ostiary.gateway.policy import decisions as module
from ostiary.gateway.policy.access import use_of
from ostiary.gateway.policy.authorizer import Authorizer
from ostiary.gateway.policy.decisions import Decisions
from ostiary.gateway.policy.live_policies import LivePolicies

if TYPE_CHECKING:
    from ostiary.gateway.policy.policy_set import PolicySet
    from ostiary.identity.principal import Principal

FEED = use_of("tools", "zoo", "feed")


class Now:
    """The time, as the test has it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.cedar").write_text("permit(principal, action, resource);")
    return tmp_path


def decided(keeping: Decisions, who: Principal, by: PolicySet, count: int, prefix: str = "") -> None:
    for number in range(count):
        access = use_of("tools", "zoo", f"{prefix}{number}")
        keeping.keep(keeping.of(who, by), access, by.decide(who, access, {}))


def test_what_was_decided_for_one_token_is_nothing_to_another_of_the_same_person(folder: Path) -> None:
    authorizer = Authorizer(LivePolicies(folder), Decisions(), None)
    one, other = principal(scope="a"), principal(scope="a")
    assert authorizer.allows(one, FEED)
    assert authorizer.lets_through(one, FEED)
    assert not authorizer.lets_through(other, FEED)
    assert not authorizer.lets_through(None, FEED)


def test_it_ends_with_the_principal_and_with_the_policies() -> None:
    keeping = Decisions()
    one, other = (policies("permit(principal, action, resource);") for _ in range(2))
    who: Any = principal()
    decided(keeping, who, one, 3)
    assert keeping.held == 3
    decided(keeping, who, other, 2)
    assert keeping.held == 2
    del who
    gc.collect()
    assert keeping.held == 0


def test_ten_thousand_names_of_one_caller_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 10)
    keeping, by, who = Decisions(), policies("permit(principal, action, resource);"), principal()
    decided(keeping, who, by, 25)
    assert keeping.held == len(keeping.of(who, by)) == 5
    keeping.keep(keeping.of(who, by), use_of("tools", "zoo", "n" * 300), by.decide(who, FEED, {}))
    assert keeping.held == 5


def test_many_callers_together_have_their_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 20)
    keeping, by = Decisions(), policies("permit(principal, action, resource);")
    callers = [principal(sub=str(number)) for number in range(10)]
    for who in callers:
        decided(keeping, who, by, 5)
        assert keeping.held <= 20
    assert [len(keeping.of(who, by)) for who in callers] == [0] * 6 + [5] * 4
    decided(keeping, callers[0], by, 5)
    assert (keeping.held, len(keeping.of(callers[0], by))) == (20, 5)


def test_files_are_looked_at_once_a_second(folder: Path) -> None:
    now = Now()
    live = LivePolicies(folder, now)
    first = live.current()
    (folder / "b.cedar").write_text("forbid(principal, action, resource);")
    assert live.current() is first
    now.seconds = 1.0
    second = live.current()
    assert (len(second.policies), second.generation) == (2, first.generation + 1)
    now.seconds = 2.0
    assert live.current() is second
    (folder / "b.cedar").unlink()
    now.seconds = 3.0
    assert len(live.current().policies) == 1


def test_a_mounted_folder_whose_files_are_swapped_at_once_is_seen(tmp_path: Path) -> None:
    """As Kubernetes does with a ConfigMap."""
    for version, effect in (("1", "permit"), ("2", "forbid")):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "a.cedar").write_text(f"{effect}(principal, action, resource);")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.cedar").symlink_to("..data/a.cedar")
    now = Now()
    live = LivePolicies(tmp_path, now)
    assert live.current().decide(principal(), FEED, {}).is_allowed
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    now.seconds = 1.0
    assert not live.current().decide(principal(), FEED, {}).is_allowed


def test_they_are_read_again_when_they_are_told_to(folder: Path) -> None:
    live = LivePolicies(folder, Now())
    first = live.current()
    (folder / "a.cedar").write_text("permit(principal, action, resource")
    live.reload()
    assert live.current() is first
    (folder / "a.cedar").write_text("forbid(principal, action, resource);")
    live.reload()
    assert live.current() is not first
    assert live.current().generation > first.generation
