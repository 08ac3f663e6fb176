"""When the identity provider is asked again whether a person still exists."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.revalidation import Revalidation, is_due


@pytest.mark.parametrize(
    ("rule", "last", "due"),
    [
        ("on_refresh", None, True),
        ("on_refresh", 1000, True),
        ("never", None, False),
        ("never", 0, False),
        (60, None, True),
        (60, 1000, False),
        (60, 941, False),
        (60, 940, True),
        (60, 1001, True),
    ],
)
def test_a_person_is_asked_for_as_the_rule_says(rule: Revalidation, last: float | None, due: bool) -> None:
    assert is_due(rule, last=last, now=1000) is due
