"""`ostiary status`, before listeners that tell what a test wants them to."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.cli.conftest import Ostiary, in_background

from ostiary.cli.status_table import status_table
from ostiary.secrets import Secret
from ostiary.settings import Listen
from ostiary.telemetry.endpoints import telemetry_app
from ostiary.telemetry.metrics import Metrics
from ostiary.telemetry.operators import EVERYBODY_HERE, Operators
from ostiary.transport.serving import address_of, bind, serving


def credential(now: float, **said: Any) -> dict[str, Any]:
    life = {"expires_at": now + 1800, "renew_after": now + 1200, "last_error": None}
    return {"type": "google_id_token", "is_per_caller": False, **life, **said}


def zoo(now: float, **said: Any) -> dict[str, Any]:
    usual = {"name": "zoo", "health": "up", "era": "modern", "calls": 12, "failures": 1}
    trouble = {"step": None, "since": None, "next_try": None}
    return {**usual, **trouble, "credential": credential(now), **said}


def away(now: float) -> dict[str, Any]:
    sent = credential(now, type="none", expires_at=None, last_error="no \x1b[31msecret")
    said = {"name": "files", "health": "unreachable", "era": "unknown", "step": "connect"}
    return zoo(now, **said, since=now - 300, next_try=now + 1200, credential=sent)


def gateway() -> dict[str, Any]:
    now = time.time()
    return {
        "url": "http://127.0.0.1:8080",
        "generation": 2,
        "loaded_at": now - 3600,
        "servers": [zoo(now), away(now)],
        "refusals": {"no_token": 3},
        "hidden": [{"server": "zoo", "name": "get"}],
    }


@asynccontextmanager
async def telling(state: dict[str, Any], operators: Operators = EVERYBODY_HERE) -> AsyncIterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(telemetry_app(Metrics(), {}, state=lambda: state, operators=operators), sock):
        yield f"http://{address_of(sock)}"


def test_a_table_where_there_is_no_terminal(ostiary: Ostiary) -> None:
    with in_background(telling({"gateway": gateway()})) as url:
        outcome = ostiary("status", url)
    assert (outcome.code, outcome.err) == (0, "")
    first, _, header, _, first_row, second_row = outcome.out.splitlines()
    assert first == (
        "http://127.0.0.1:8080, configuration 2, 1 hour old; turned away: 3 no_token; hidden names: zoo get"
    )
    columns = [*("server", "health", "era", "calls", "failed", "credential", "token"), "what is wrong"]
    assert [header.find(name) for name in columns] == sorted(header.find(name) for name in columns)
    sent = ["google_id_token", *["30", "minutes", "left,", "renewed", "in", "20", "minutes"]]
    assert first_row.split() == ["zoo", "up", "modern", "12", "1", *sent]
    assert second_row.split()[:6] == ["files", "unreachable", "unknown", "12", "1", "none"]
    assert second_row.endswith(
        "fails at connect for 5 minutes; tried again in 20 minutes; no \\x1b[31msecret"
    )


def test_json(ostiary: Ostiary) -> None:
    state = {"gateway": gateway()}
    with in_background(telling(state)) as url:
        assert json.loads(ostiary("status", url, "--json").out) == state


def test_the_file_says_where_and_by_which_token(ostiary: Ostiary, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    with in_background(telling({}, Operators(Secret("sesame"), is_local=True))) as url:
        file = f"telemetry: {{listen: {url.removeprefix('http://')}, status_token: {{file: token}}}}\n"
        (tmp_path / "ostiary.yaml").write_text(f"{file}gateway: {{allow_unauthenticated: true}}\n")
        assert ostiary("status") == (0, "No gateway runs there.\n", "")
        assert ostiary("status", url).code == 0
        (tmp_path / "token").write_text("another\n")
        refused = ostiary("status")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"{url} does not tell us: show the token of telemetry.status_token\n"


def test_a_file_without_a_listener(ostiary: Ostiary, tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text("gateway: {allow_unauthenticated: true}\n")
    outcome = ostiary("status")
    assert (outcome.code, outcome.err) == (
        2,
        "ostiary.yaml has no telemetry.listen to ask: add one, or name a URL\n",
    )


def test_nobody_there(ostiary: Ostiary) -> None:
    outcome = ostiary("status", "http://127.0.0.1:1")
    assert outcome.code == 1
    assert outcome.err.startswith("nothing answers at http://127.0.0.1:1: ")
    assert outcome.err.endswith("; is `ostiary up` running?\n")


def test_a_token_that_is_over_says_so() -> None:
    over = zoo(1000.0, credential=credential(1000.0, expires_at=999.0))
    console = Console(width=200)
    with console.capture() as drawn:
        console.print(status_table({"servers": [over]}, 1000.0))
    assert "is over" in drawn.get()
