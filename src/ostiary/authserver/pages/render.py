"""Pages to bytes. Whatever a template prints is display text, unless it says `exact`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ostiary.authserver.pages.assets import ICON, STYLE
from ostiary.authserver.pages.display_text import display_host, display_name, display_text, mixes_alphabets
from ostiary.authserver.pages.page import Page


def render(page: Page, *, below: str = "") -> bytes:
    """The page as HTML. below: the path that all of the server is under, empty or `/auth`."""
    template = _ENVIRONMENT.get_template(page.template)
    html = template.render(page=page, style=below + STYLE.path, icon=below + ICON.path)
    return html.encode("utf-8", "replace")


def _shown(value: Any) -> Any:
    """Jinja calls it on all that is printed; what is already markup came from a template or `exact`."""
    return display_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _exact(value: str) -> Markup:
    """Escaped and otherwise untouched: for what a browser gives back to us."""
    return escape(value)


def _in_words(moment: datetime) -> str:
    """`24 November 2026, 13:40 UTC`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _machine_readable(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        exact=_exact, host=display_host, iso=_machine_readable, moment=_in_words, name=display_name
    )
    environment.tests.update(mixing_alphabets=mixes_alphabets)
    return environment


_ENVIRONMENT = _environment()
