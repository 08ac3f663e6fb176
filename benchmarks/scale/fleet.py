"""How many of everything there are, and what they do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fleet:
    """Rates are per second, times in seconds.

    servers: of which each has a token of its own; people: with a session, who call at the same rate each;
    replicas: gateways; calls: of all people together; access_life: of our access tokens; token_life: of the
    tokens of servers and of people's accounts; session: from one list of tools to the next; listed: servers
    that a list asks.
    """

    servers: int = 10_000
    people: int = 1_000_000
    replicas: int = 100
    calls: float = 100_000.0
    access_life: float = 900.0
    token_life: float = 3600.0
    session: float = 3600.0
    listed: int = 10
    tools: int = 50
    is_sticky: bool = True
    """Whether all calls of a person come to one replica, as a load balancer brings them that goes by a hash
    of `Authorization`: until their token is renewed."""
    has_store: bool = True
    """Whether gateways share tokens."""

    @property
    def pace(self) -> float:
        """Calls of one person."""
        return self.calls / self.people

    def replicas_met(self, within: float) -> float:
        """How many different replicas one person meets meanwhile."""
        called = self.pace * within
        if self.is_sticky:
            return min(called, max(1.0, within / self.access_life))
        return float(self.replicas * (1 - (1 - 1 / self.replicas) ** called))
