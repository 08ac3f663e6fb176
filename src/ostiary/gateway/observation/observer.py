"""Who is told of each call that ended, and of whoever was turned away before there was one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway.errors import GatewayError
from ostiary.gateway.observation.outcome import outcome_of

if TYPE_CHECKING:
    from ostiary.gateway.observation.call_metrics import CallMetrics
    from ostiary.mcp.errors import McpError

TURNED_AWAY = frozenset({401, 403, 429, 503})
"""With these an error says that the caller may not, or not now; with others, that something went wrong."""


class Observer:
    """Of one gateway."""

    def __init__(self, metrics: CallMetrics) -> None:
        self.metrics = metrics

    def ended(self, server: str, method: bytes, outcome: str, seconds: float) -> None:
        """A call was answered, or the caller left."""
        self.metrics.count(server, method, outcome, seconds)

    def failed(self, server: str, method: bytes, error: McpError, seconds: float) -> None:
        """A call came to this error."""
        self.metrics.count(server, method, outcome_of(error), seconds)
        if isinstance(error, GatewayError) and error.status in TURNED_AWAY:
            self.metrics.refusals.add(reason_of(error))

    def turned_away(self, error: McpError) -> None:
        """A request was refused before it was a call."""
        self.metrics.refusals.add(reason_of(error))


def reason_of(error: McpError) -> str:
    """Why a caller was turned away: a word of ours."""
    return (error.reason if isinstance(error, GatewayError) else "") or outcome_of(error)
