"""What a fleet asks of its parts: calls, cores and bytes, by plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scale.costs import Costs
from benchmarks.scale.fleet import Fleet
from benchmarks.scale.simulation import remembered_share
from ostiary.gateway.config import LimitSettings
from ostiary.identity.authenticator import REMEMBERED
from ostiary.identity.key_sets import FRESH

RENEWED_AT = 0.775
"""Of a token's life, on average: between 0.70 and 0.85."""


@dataclass(frozen=True, slots=True)
class Demands:
    """Rates are per second for the whole fleet, cores for the whole fleet, bytes for one replica.

    verifications: tokens that are verified anew; exchanges: upstream tokens that are asked for; fetches:
    tokens asked of servers' issuers; looks: of replicas in the store, for each other's tokens; documents: key
    sets fetched; asked: servers that are asked for their lists.
    """

    verifications: float
    exchanges: float
    refreshes: float
    fetches: float
    looks: float
    documents: float
    lists: float
    asked: float
    gateway_cores: float
    authserver_cores: float
    memory: float


def demands(fleet: Fleet, costs: Costs, *, most_tokens: int) -> Demands:
    """most_tokens: of callers, and of servers, that one gateway remembers (`gateway.limits.kept_tokens`)."""
    verifications = fleet.calls * (1 - remembered_share(fleet, most_tokens, REMEMBERED))
    kept = fleet.token_life * RENEWED_AT
    exchanges = fleet.people * fleet.replicas_met(kept) / kept
    unkept = fleet.calls * (1 - remembered_share(fleet, most_tokens, kept))
    exchanges = max(exchanges, unkept)
    refreshes = fleet.people / fleet.access_life
    own = fleet.servers / kept
    lists = fleet.people / fleet.session
    here = min(most_tokens, fleet.people * fleet.replicas_met(REMEMBERED) / fleet.replicas)
    held = min(most_tokens, fleet.people * fleet.replicas_met(kept) / fleet.replicas)
    return Demands(
        verifications=verifications,
        exchanges=exchanges,
        refreshes=refreshes,
        fetches=own if fleet.has_store else own * fleet.replicas,
        looks=own * fleet.replicas if fleet.has_store else 0.0,
        documents=fleet.replicas / FRESH,
        lists=lists,
        asked=lists * fleet.listed,
        gateway_cores=fleet.calls * costs.call
        + verifications * costs.verification
        + lists * fleet.listed * (fleet.tools * costs.listed_tool + costs.call),
        authserver_cores=refreshes * costs.refresh + exchanges * costs.exchange,
        memory=here * costs.remembered_token
        + held * costs.held_token
        + min(LimitSettings().kept_list_bytes, fleet.servers * fleet.tools * costs.tool_bytes),
    )
