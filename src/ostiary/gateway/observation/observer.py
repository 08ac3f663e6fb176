"""Who is told of each call that ended, and of whoever was turned away before there was one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway.errors import GatewayError
from ostiary.gateway.observation.outcome import outcome_of

if TYPE_CHECKING:
    from ostiary.gateway.observation.call_audit import CallAudit
    from ostiary.gateway.observation.call_metrics import CallMetrics
    from ostiary.mcp.errors import McpError
    from ostiary.transport.inline_http import Request

TURNED_AWAY = frozenset({401, 403, 429, 503})
"""With these an error says that the caller may not, or not now; with others, that something went wrong."""


class Observer:
    """Of one gateway. metrics, audit: None where nobody wants them."""

    def __init__(self, metrics: CallMetrics | None = None, audit: CallAudit | None = None) -> None:
        self.metrics = metrics
        self.audit = audit

    def ended(
        self, server: str, method: bytes, outcome: str, seconds: float, error: McpError | None = None
    ) -> None:
        """Count a call. error: what it came to."""
        if self.metrics is None:
            return
        self.metrics.count(server, method, outcome, seconds)
        if isinstance(error, GatewayError) and error.status in TURNED_AWAY:
            self.metrics.refusals.add(reason_of(error))

    def turned_away(self, error: McpError, request: Request) -> None:
        """A request was refused before it was a call."""
        reason = reason_of(error)
        if self.metrics is not None:
            self.metrics.refusals.add(reason)
        if self.audit is not None:
            self.audit.turned_away(reason, request)


def reason_of(error: McpError) -> str:
    """Why a caller was turned away: a word of ours."""
    return (error.reason if isinstance(error, GatewayError) else "") or outcome_of(error)
