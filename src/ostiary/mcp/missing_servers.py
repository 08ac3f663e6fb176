"""Servers that a gateway had to leave out of a list, and why: `dev.ostiary/unavailable`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.mcp.eras import UNAVAILABLE_KEY

_WHY = {
    "resolve": "its name does not resolve",
    "connect": "nothing takes the connection",
    "tls": "no TLS that both trust",
    "http": "no proper answer over HTTP",
    "timeout": "no answer in time",
    "size": "a list over its budget",
    "answer": "an answer that is not MCP",
    "account": "your account there is not connected",
    "credential": "its credential could not be had, or is refused",
}


@dataclass(frozen=True, slots=True)
class MissingServer:
    """One server, by its name at the gateway, and how far the gateway came with it."""

    name: str
    step: str
    stale: bool = False
    """Whether what it last said it has stands in for it."""

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"name": self.name, "step": self.step, **({"stale": True} if self.stale else {})}

    def __str__(self) -> str:
        last = "; its last list is shown" if self.stale else ""
        return f"{self.name} ({_WHY.get(self.step, self.step)}{last})"


def missing_servers(meta: Any, *, shown: Callable[[object], str] = str) -> tuple[MissingServer, ...]:
    """Those that a result's `_meta` names. shown: what may be shown of its words."""
    named = meta.get(UNAVAILABLE_KEY) if isinstance(meta, Mapping) else None
    return tuple(
        MissingServer(shown(one["server"])[:100], shown(one.get("step"))[:100], one.get("stale") is True)
        for one in (named if isinstance(named, list) else ())
        if isinstance(one, Mapping) and "server" in one
    )


def in_words(missing: tuple[MissingServer, ...]) -> str:
    """The subject of a sentence, with its verb."""
    if len(missing) == 1:
        return f"server {missing[0]} is unavailable"
    return f"servers {', '.join(map(str, missing))} are unavailable"
