"""Nothing that a user can touch is undocumented, and no link leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ostiary.authserver.audit_events import AuditEvent
from ostiary.cli.app import app
from ostiary.config.audit_reference import audit_page, meanings
from ostiary.config.metrics_reference import metrics_page
from ostiary.config.reference import FILES, reference_page
from ostiary.config.store_reference import store_page
from ostiary.gateway import errors as gateway_errors
from ostiary.gateway.errors import GatewayError
from ostiary.gateway.observation.audit_events import GatewayEvent
from ostiary.mcp import errors as mcp_errors
from ostiary.mcp.errors import McpError
from ostiary.oauth.server import errors as server_errors

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, *path, name)
    else:
        yield " ".join(path), command


@pytest.mark.parametrize("name", FILES)
def test_every_setting_is_in_the_reference(name: str) -> None:
    page = ROOT / "docs" / "reference" / f"{name.replace('.', '-')}.md"
    assert page.read_text("utf-8") == reference_page(name), (
        f"draw it again: python -m ostiary.config.reference {name} > {page.relative_to(ROOT)}"
    )


@pytest.mark.parametrize("name", FILES)
def test_every_setting_says_what_it_means(name: str) -> None:
    silent = [
        row for row in reference_page(name).splitlines() if row.startswith("| `") and row.endswith("|  |")
    ]
    assert silent == []


def test_every_audit_event_is_in_the_reference() -> None:
    assert (ROOT / "docs" / "reference" / "audit.md").read_text("utf-8") == audit_page(), (
        "draw it again: python -m ostiary.config.audit_reference > docs/reference/audit.md"
    )
    for events in (AuditEvent, GatewayEvent):
        assert [event for event, meaning in meanings(events) if meaning] == list(events)


def test_every_metric_is_in_the_reference() -> None:
    assert (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8") == metrics_page(), (
        "draw it again: python -m ostiary.config.metrics_reference > docs/reference/metrics.md"
    )


def test_every_column_of_the_store_is_in_the_reference() -> None:
    assert (ROOT / "docs" / "reference" / "store.md").read_text("utf-8") == store_page(), (
        "draw it again: python -m ostiary.config.store_reference > docs/reference/store.md"
    )


def test_every_command_and_option_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    for name, command in commands(typer.main.get_command(app)):
        assert f"## ostiary {name}\n" in page
        for option in (option for parameter in command.params for option in parameter.opts):
            assert not option.startswith("-") or option == "--help" or f"`{option}" in page, (
                f"{name} {option}"
            )


def test_every_error_code_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    errors = [*vars(mcp_errors).values(), *vars(gateway_errors).values()]
    kinds = [error for error in errors if isinstance(error, type) and issubclass(error, McpError)]
    for error in kinds:
        if error not in {McpError, GatewayError}:
            assert f"| {error.code} | {error.status} | `{error.__name__}` |" in page


def test_every_error_of_the_authorization_server_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    for name in server_errors.__all__:
        error = getattr(server_errors, name)
        if hasattr(error, "error"):
            (row,) = [
                line for line in page.splitlines() if line.startswith("| `") and f"`{error.error}`" in line
            ]
            assert str(error.status) in row


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_0-9]+\.py)?)`", text)
    places = (ROOT / "src" / "ostiary", ROOT)
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target
