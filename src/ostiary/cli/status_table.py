"""How it stands with a gateway, as people read it: a line, and a table of its servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.oauth.inspection.humanize import span_in_words
from ostiary.telemetry.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

COLOURS = {"up": "green", "troubled": "yellow", "unreachable": "red", "unknown": "dim"}
LONGEST_ERROR = 160


def headline(gateway: Mapping[str, Any], now: float) -> str:
    """Which gateway, by which configuration, whom it turned away."""
    age = span_in_words(max(0.0, now - gateway["loaded_at"]))
    told = [f"{gateway['url']}, configuration {gateway['generation']}, {age} old"]
    refusals = ", ".join(f"{number} {reason}" for reason, number in gateway["refusals"].items())
    if refusals:
        told.append(f"turned away: {refusals}")
    if gateway["hidden"]:
        names = ", ".join(f"{one['server']} {one['name']}" for one in gateway["hidden"])
        told.append(f"hidden names: {names}")
    return "; ".join(told)


def status_table(gateway: Mapping[str, Any], now: float) -> Table:
    """A row a server."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in ("server", "health", "era", "calls", "failed", "credential", "token", "what is wrong"):
        table.add_column(name, justify="right" if name in {"calls", "failed"} else "left", overflow="fold")
    for server in gateway["servers"]:
        credential = server["credential"]
        cells = [
            server["name"],
            server["health"],
            server["era"],
            str(server["calls"]),
            str(server["failures"]),
            credential["type"] + (", each caller's" if credential["is_per_caller"] else ""),
            _token(credential, now),
            _trouble(server, now),
        ]
        styles = ["bold", COLOURS.get(server["health"], ""), *[""] * 5, "yellow"]
        table.add_row(*(Text(one_line(cell), style) for cell, style in zip(cells, styles, strict=True)))
    return table


def _token(credential: Mapping[str, Any], now: float) -> str:
    if credential["expires_at"] is None:
        return ""
    left = credential["expires_at"] - now
    if left <= 0:
        return "is over"
    renewed = credential["renew_after"]
    due = "" if renewed is None else f", renewed {_in(renewed - now)}"
    return f"{span_in_words(left)} left{due}"


def _trouble(server: Mapping[str, Any], now: float) -> str:
    told = []
    if server["step"] is not None:
        since = "" if server["since"] is None else f" for {span_in_words(max(0.0, now - server['since']))}"
        told.append(f"fails at {server['step']}{since}")
    if server["next_try"] is not None:
        told.append(f"tried again {_in(server['next_try'] - now)}")
    error = server["credential"]["last_error"]
    if error is not None:
        told.append(error if len(error) <= LONGEST_ERROR else f"{error[:LONGEST_ERROR]}…")
    return "; ".join(told)


def _in(seconds: float) -> str:
    return f"in {span_in_words(seconds)}" if seconds > 0 else "at its next use"
