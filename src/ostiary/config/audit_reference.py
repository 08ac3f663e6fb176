"""The reference page of audit events, drawn from where they are declared: it cannot forget one.

python -m ostiary.config.audit_reference > docs/reference/audit.md
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from enum import StrEnum

from ostiary.authserver import audit_events
from ostiary.authserver.audit_events import AuditEvent

_HEAD = """\
# Audit events

Drawn from the code by `python -m ostiary.config.audit_reference`. With `telemetry: {audit: audit.jsonl}` each
event is a line of JSON in that file, appended and never changed; without it, a line of the log. No line holds
a secret.

"""


def audit_page() -> str:
    """The page as Markdown."""
    about = inspect.cleandoc(audit_events.__doc__ or "")
    rows = [f"| `{event.value}` | {meaning} |" for event, meaning in meanings(AuditEvent)]
    return "\n".join([f"{_HEAD}{about}", "", "| event | what happened |", "|---|---|", *rows]) + "\n"


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
