"""What operators read: who was turned away and why, which server failed and how.

Nothing that a caller sent is logged but names that have been checked; tokens never are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.gateway.errors import GatewayError
from ostiary.oauth.refusal import Refusal

log = event_log("ostiary.gateway")
PROGRAM_SAID = "server_said"


def refused(reason: Refusal, resource: str, detail: str = "") -> None:
    """A caller was turned away at the door."""
    log.warning("caller_refused", reason=reason.value, resource=resource, detail=detail)


def not_permitted(action: str, server: str, policies: Sequence[str], detail: str) -> None:
    """A caller wanted to do what policies do not let them. policies: those that forbid it."""
    log.info("call_not_permitted", action=action, server=server, policies=list(policies), detail=detail)


def server_failed(server: str, error: GatewayError) -> None:
    """A server gave no usable answer."""
    log.warning("server_failed", server=server, code=error.code, problem=error.message)


def server_recovered(server: str) -> None:
    """A server that failed answers again."""
    log.info("server_recovered", server=server)


def request_dropped(server: str, method: str) -> None:
    """A server sent a request on a stream, which a modern server must not."""
    log.warning("server_request_dropped", server=server, method=method)


def program_started(server: str) -> None:
    """A process of a server's command runs."""
    log.info("server_started", server=server)


def program_said(server: str, text: str) -> None:
    """A line of its standard error; see `transport.child_process`, which bounds and cleans it."""
    log.info(PROGRAM_SAID, server=server, text=text)


def program_ended(server: str, why: str) -> None:
    """It is gone."""
    log.info("server_ended", server=server, why=why)


def reloaded(generation: int, added: list[str], changed: list[str], removed: list[str]) -> None:
    """New settings are in force. Servers by name."""
    log.info("configuration_taken", generation=generation, added=added, changed=changed, removed=removed)


def crashed(error: Exception) -> None:
    """Something that should not happen did; the log has the traceback, the caller does not."""
    log.error("call_crashed", exception=crash_text(error))
