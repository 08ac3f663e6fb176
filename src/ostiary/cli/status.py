"""`ostiary status`: how it stands with what runs, as a table that goes on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.secrets import Secret

PATIENCE = 5.0
"""Seconds that an answer may take."""


class Asked(NamedTuple):
    """Whom, and what we show."""

    origin: str
    token: Secret | None


def status(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="Of the telemetry listener. Default: the file's.")
    ] = None,
    config: options.Config = None,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 1.0,
    as_json: options.AsJson = False,
) -> None:
    """Show how it stands with servers and credentials. On a terminal, until Ctrl-C."""
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415
    from ostiary.cli.status_table import headline, status_table  # noqa: PLC0415

    asked = _asked(url, config)
    state = _read(asked)
    if as_json:
        print_json(state)
        return
    if "gateway" not in state:
        print_text("No gateway runs there.")
    elif sys.stdout.isatty():
        _watch(asked, state["gateway"], every)
    else:
        from ostiary.cli.console import print_rich  # noqa: PLC0415

        print_text(headline(state["gateway"], time.time()))
        print_rich(status_table(state["gateway"], time.time()))


def _asked(url: str | None, config: Path | None) -> Asked:
    from ostiary.config import OstiaryFile, load  # noqa: PLC0415

    file = config or Path(OstiaryFile.default_name)
    if url is not None and config is None and not file.exists():
        return Asked(_origin(url), None)
    telemetry = load(file).telemetry
    if url is not None:
        return Asked(_origin(url), telemetry.status_token)
    if telemetry.listen is None:
        raise BadUsage(f"{file} has no telemetry.listen to ask: add one, or name a URL")
    return Asked(f"http://{telemetry.listen}", telemetry.status_token)


def _origin(url: str) -> str:
    from ostiary.oauth.canonical_url import UrlRefused, canonical_url  # noqa: PLC0415

    try:
        return canonical_url(url).origin
    except UrlRefused as error:
        raise BadUsage(f"{url} is no URL to ask: {error}") from None


def _read(asked: Asked) -> Mapping[str, Any]:
    """What it answers. Raises Failure."""
    import httpx2  # noqa: PLC0415

    headers = {} if asked.token is None else {"authorization": f"Bearer {_revealed(asked.token)}"}
    is_here = asked.origin.startswith(("http://127.", "http://[::1]", "http://localhost"))
    try:
        answer = httpx2.get(
            f"{asked.origin}/status", headers=headers, timeout=PATIENCE, trust_env=not is_here
        )
    except httpx2.HTTPError as error:
        why = str(error) or type(error).__name__
        raise Failure(f"nothing answers at {asked.origin}: {why}; is `ostiary up` running?") from None
    if answer.status_code in {401, 403}:
        raise Failure(f"{asked.origin} does not tell us: {_description(answer)}")
    try:
        state: dict[str, Any] = answer.raise_for_status().json()
        return state if isinstance(state, dict) else {}
    except (httpx2.HTTPError, ValueError):
        raise Failure(f"{asked.origin} answered {answer.status_code}: it is no telemetry listener") from None


def _description(answer: Any) -> str:
    try:
        return str(answer.json()["error_description"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {answer.status_code}"


def _revealed(token: Secret) -> str:
    from ostiary.secrets import SecretUnavailable  # noqa: PLC0415

    try:
        return token.reveal()
    except SecretUnavailable as error:
        raise Failure(f"telemetry.status_token: {error}") from None


def _watch(asked: Asked, gateway: Mapping[str, Any], every: float) -> None:
    """Show it until Ctrl-C, however often it cannot be had meanwhile."""
    from rich.console import Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from ostiary.cli.status_table import headline, status_table  # noqa: PLC0415
    from ostiary.telemetry.redaction import one_line  # noqa: PLC0415

    def drawn(trouble: str = "") -> Group:
        now = time.time()
        below = [Text(one_line(trouble), style="red")] if trouble else []
        return Group(Text(one_line(headline(gateway, now))), status_table(gateway, now), *below)

    try:
        with Live(drawn(), auto_refresh=False) as live:
            while True:
                time.sleep(every)
                try:
                    gateway, trouble = _read(asked).get("gateway", gateway), ""
                except Failure as error:
                    trouble = str(error)
                live.update(drawn(trouble), refresh=True)
    except KeyboardInterrupt:
        return
