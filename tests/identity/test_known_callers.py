"""Who came with which token a moment ago."""

from __future__ import annotations

from types import MappingProxyType

from ostiary.identity.known_callers import KnownCallers
from ostiary.identity.principal import Principal
from ostiary.secrets import Secret


def principal(token: str) -> Principal:
    return Principal(
        "https://issuer.test", "alice", None, frozenset(), MappingProxyType({}), 100.0, Secret(token)
    )


def test_a_caller_is_known_by_the_whole_token_until_its_time_is_over() -> None:
    callers, alice = KnownCallers(), principal("a.b.c")
    callers.remember("a.b.c", alice, 60.0, 0.0)

    assert callers.find("a.b.c", 59.9) is alice
    assert callers.find("a.b.c", 60.0) is None
    assert callers.find("a.b.", 0.0) is None
    assert callers.find("a.b.cc", 0.0) is None


def test_nobody_is_known_once_the_keys_have_changed() -> None:
    callers = KnownCallers()
    callers.remember("a.b.c", principal("a.b.c"), 60.0, 0.0)
    callers.forget()

    assert callers.find("a.b.c", 0.0) is None


def test_a_token_is_kept_no_longer_than_its_time_when_others_come() -> None:
    callers = KnownCallers()
    for token, until in (("first", 10.0), ("second", 20.0), ("third", 60.0)):
        callers.remember(token, principal(token), until, 0.0)
    callers.remember("fourth", principal("fourth"), 90.0, 30.0)

    assert len(callers) == 2
    assert callers.find("third", 30.0) is not None


def test_however_many_callers_come_only_so_many_are_known() -> None:
    callers = KnownCallers(2)
    for token in ("first", "second", "first", "third"):
        callers.remember(token, principal(token), 60.0, 0.0)

    assert [callers.find(token, 0.0) is not None for token in ("first", "second", "third")] == [
        True,
        False,
        True,
    ]
