"""What a policy reads of a caller, and of a tool."""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.gateway.policy.access import UNSAID
from ostiary.gateway.policy.expressions import Expression, every, operator, path, texts

_GROUPS_OF_SCOPES = {"contains", "containsAll", "containsAny"}
_HINTS = frozenset(("resource", name) for name in UNSAID.told())


class ClaimUnclear(ValueError):
    """Which claim a policy reads cannot be told."""


def claims_read(conditions: Iterable[Expression]) -> frozenset[str]:
    """The claims that are read as tags of the principal. Raises ClaimUnclear."""
    return frozenset(_claims(conditions))


def scopes_read(conditions: Iterable[Expression]) -> frozenset[str]:
    """The scopes that are looked for among the principal's."""
    found: set[str] = set()
    for one in _all(conditions):
        name, body = operator(one)
        if name in _GROUPS_OF_SCOPES and path(body["left"]) == ("principal", "scopes"):
            found.update(texts(body["right"]))
    return frozenset(found)


def hints_read(conditions: Iterable[Expression]) -> bool:
    """Whether any hint of a tool is read."""
    return any(path(one) in _HINTS for one in _all(conditions))


def _claims(conditions: Iterable[Expression]) -> Iterable[str]:
    for one in _all(conditions):
        name, body = operator(one)
        if name in {"getTag", "hasTag"}:
            claim = body["right"].get("Value")
            if not isinstance(claim, str):
                raise ClaimUnclear(f"write the name of the claim in {name} as text")
            yield claim


def _all(conditions: Iterable[Expression]) -> Iterable[Expression]:
    return (one for condition in conditions for one in every(condition))
