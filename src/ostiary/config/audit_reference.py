"""The reference page of audit events, drawn from where they are declared: it cannot forget one.

python -m ostiary.config.audit_reference > docs/reference/audit.md
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from enum import StrEnum
from types import ModuleType

from ostiary.authserver import audit_events
from ostiary.authserver.audit_events import AuditEvent
from ostiary.gateway.observation import audit_events as gateway_events
from ostiary.gateway.observation.audit_events import GatewayEvent

_HEAD = """\
# Audit events

Drawn from the code by `python -m ostiary.config.audit_reference`. With `telemetry: {audit: audit.jsonl}`
each event is a line of JSON in that file, appended and never changed; without it, a line of the log, and
calls of a gateway are none. No line holds a secret.
"""


def audit_page() -> str:
    """The page as Markdown."""
    of_authserver = _section("Of an authorization server", audit_events, AuditEvent)
    of_gateway = _section("Of a gateway", gateway_events, GatewayEvent)
    return "\n".join([_HEAD, *of_authserver, "", *of_gateway, ""])


def _section(title: str, declared: ModuleType, events: type[StrEnum]) -> list[str]:
    about = inspect.cleandoc(declared.__doc__ or "")
    rows = [f"| `{event.value}` | {meaning} |" for event, meaning in meanings(events)]
    return [f"## {title}", "", about, "", "| event | what happened |", "|---|---|", *rows]


def meanings(events: type[StrEnum]) -> Iterator[tuple[StrEnum, str]]:
    """Each member, and the docstring below it, which Python itself does not keep."""
    [declared] = ast.parse(inspect.getsource(events)).body
    assert isinstance(declared, ast.ClassDef)  # noqa: S101 - what else a class's source is
    for statement, below in zip(declared.body, [*declared.body[1:], None], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield events[statement.targets[0].id], _docstring(below)


def _docstring(statement: ast.stmt | None) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


if __name__ == "__main__":
    sys.stdout.write(audit_page())
