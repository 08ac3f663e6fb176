"""Calls and refusals, written down: who did what, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ostiary.gateway.errors import AuditAway, Forbidden
from ostiary.gateway.observation.audit_events import GatewayEvent

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.identity.principal import Principal
    from ostiary.mcp.errors import McpError
    from ostiary.telemetry.queued_audit import QueuedAudit
    from ostiary.transport.inline_http import Request

LONGEST_NAME = 400
LONGEST_ARGUMENTS = 2048
"""Bytes of arguments that are written as they are; of longer ones it is their beginning."""


class Ended(NamedTuple):
    """A call that ended."""

    call: Call
    server: str
    """Its name; empty for a call to none alone."""
    name: str | None
    credential: str | None
    """Its kind."""
    outcome: str
    seconds: float
    error: McpError | None = None


class CallAudit:
    """Of one gateway. has_arguments: whether those of calls are written, too."""

    def __init__(self, audit: QueuedAudit, *, has_arguments: bool = False) -> None:
        self._audit = audit
        self._has_arguments = has_arguments

    def require(self) -> None:
        """Raise AuditAway while no call could be written down."""
        away = self._audit.away
        if away is not None:
            raise AuditAway("calls are audited here, and the audit cannot be written: its operators know why")

    async def unusable(self) -> str | None:
        """Why it cannot be written; None while it can."""
        return self._audit.away

    def ended(self, one: Ended) -> None:
        """A call did."""
        call, error = one.call, one.error
        if isinstance(error, AuditAway):
            return
        said: dict[str, Any] = _who(call.principal, call.request)
        said["server"] = one.server or None
        said["method"] = call.message.method.decode()
        said["name"] = one.name if one.name is None else _cut(one.name)
        if call.permitted is not None:
            said["decision"] = "permitted"
        elif isinstance(error, Forbidden) and error.policies is not None:
            said["decision"], said["policies"] = "denied", list(error.policies)
        said["credential"] = one.credential
        said["outcome"] = one.outcome
        said["code"] = None if error is None else error.code
        said["seconds"] = round(one.seconds, 6)
        if self._has_arguments and "arguments" in call.message.params:
            said["arguments"] = _arguments(bytes(call.message.params["arguments"]))
        self._audit.note(GatewayEvent.CALL, said)

    def turned_away(self, reason: str, request: Request) -> None:
        """A request was refused before it was a call."""
        self._audit.write(GatewayEvent.CALLER_REFUSED, reason=reason, **_who(None, request))


def _who(principal: Principal | None, request: Request) -> dict[str, Any]:
    address = request.peer or None
    if principal is None:
        return {"address": address}
    return {
        "address": address,
        "issuer": principal.issuer,
        "subject": principal.subject,
        "client": principal.client_id,
        "act": principal.claims.get("act"),
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


def _arguments(raw: bytes) -> Any:
    if len(raw) > LONGEST_ARGUMENTS:
        return f"{raw[:LONGEST_ARGUMENTS].decode(errors='replace')}…"
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.decode(errors="replace")
