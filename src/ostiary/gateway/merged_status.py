"""How it stands with several processes that share the work of one gateway, as if they were one.

What is counted is added up. Of what each knows for itself, the worst is told: that is where to look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

Told = Mapping[str, Any]
WORST_FIRST = ("unreachable", "troubled", "unknown", "up")
_ADDED_UP = ("sessions", "streams", "processes")


def merged_states(states: Sequence[Told]) -> dict[str, Any]:
    """states: of each process, as `GatewayState.told` has it; one at least."""
    servers: dict[str, list[Told]] = {}
    for state in states:
        for server in state["servers"]:
            servers.setdefault(server["name"], []).append(server)
    refusals = Counter[str]()
    for state in states:
        refusals.update(state["refusals"])
    oldest = min(states, key=lambda state: state["generation"])
    return {
        **oldest,
        "servers": [_merged_server(several) for several in servers.values()],
        "refusals": dict(sorted(refusals.items())),
        "fetches": _merged_fetches(state["fetches"] for state in states),
        "hidden": _once(hidden for state in states for hidden in state["hidden"]),
        **{name: sum(state[name] for state in states) for name in _ADDED_UP},
    }


def _merged_server(several: Sequence[Told]) -> Told:
    worst = min(several, key=lambda one: WORST_FIRST.index(one["health"]))
    if worst["health"] == "unknown":  # of whom nobody there has heard yet
        worst = next((one for one in several if one["health"] == "up"), worst)
    known = next((one for one in several if one["version"] is not None), worst)
    return {
        **worst,
        "era": known["era"],
        "version": known["version"],
        "credential": min((one["credential"] for one in several), key=_soonest),
        "calls": sum(one["calls"] for one in several),
        "failures": sum(one["failures"] for one in several),
    }


def _merged_fetches(several: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for fetches in several:
        for credential, outcomes in fetches.items():
            counted.setdefault(credential, Counter()).update(outcomes)
    return {credential: dict(outcomes) for credential, outcomes in counted.items()}


def _soonest(credential: Told) -> tuple[bool, float]:
    return credential["last_error"] is None, credential["expires_at"] or inf


def _once(several: Iterable[Told]) -> list[Told]:
    seen: list[Told] = []
    for one in several:
        if one not in seen:
            seen.append(one)
    return seen
