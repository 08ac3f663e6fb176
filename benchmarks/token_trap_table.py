"""How often each provider asks for a token, and whom it makes wait: the table, and what it shows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.peers.venvs import venv_python

from benchmarks.counting_servers import SLOW
from benchmarks.report import Row, table
from benchmarks.token_traps import AT_ONCE, BEHIND, DELAY, RATE

Measured = Mapping[str, Mapping[str, int]]

ROOT = Path(__file__).parents[1]
LIFETIME = 4
"""Seconds that a token lives while renewals are watched."""
NAMES = {
    "ostiary": "Ostiary `CredentialAuth(ClientCredentials(...))`",
    "sdk": "mcp 2.3 `ClientCredentialsOAuthProvider`",
    "fastmcp": "FastMCP 4.1.6 `ClientCredentialsOAuthProvider`",
    "adk": "ADK 2.13 `OAuth2CredentialExchanger`",
}
SHORT = {"ostiary": "Ostiary", "sdk": "the SDK", "fastmcp": "FastMCP", "adk": "ADK"}


def run(*, refused: int, renewing: int) -> str:
    """The section of the page, after so many seconds of refusals, and of renewals, for each."""
    script = [venv_python("mcp2"), "-m", "benchmarks.token_traps"]
    numbers = [str(refused), str(renewing), str(LIFETIME)]
    finished = subprocess.run(
        [*script, *numbers, *NAMES], cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
    )
    return section(json.loads(finished.stdout.splitlines()[-1]), refused=refused, renewing=renewing)


def section(measured: Measured, *, refused: int, renewing: int) -> str:
    """The table and its notes, from what was measured."""
    head = [
        f"token requests for {AT_ONCE} first calls at once",
        f"token requests in {refused} s of `invalid_client`",
        f"calls that waited for a new token in {renewing} s",
        "calls that failed meanwhile",
        "quick calls that waited for a slow one",
    ]
    rows = [Row(title, _cells(measured[name])) for name, title in NAMES.items()]
    return "\n\n".join([HEADING, INTRODUCTION, table(head, rows), _notes(measured)])


def _cells(of: Mapping[str, int]) -> list[str]:
    return [
        str(of["first"]),
        f"{of['refused']} for {of['refused_calls']} calls",
        f"{of['waited']} of {of['renewing_calls']}",
        str(of["failed"]),
        f"{of['behind']} of {BEHIND}",
    ]


def _notes(measured: Measured) -> str:
    """What the figures say of each trap; which of them caught whom is not known before the run."""
    shown = {
        "A lock held across the request; quick calls that waited for the slow one's answer": _behind,
        "Tokens minted for each call, or by a herd; token requests": _minted,
        "Asking again after a final no; token requests": _asked_again,
        "Waiting while a token is replaced; calls that waited": _waited,
    }
    return "\n".join(f"- {trap}: {_each(measured, figure)}." for trap, figure in shown.items())


def _each(measured: Measured, figure: Callable[[Mapping[str, int]], str]) -> str:
    """One figure of every provider; those that have the same share it."""
    who: dict[str, list[str]] = {}
    for name in NAMES:
        who.setdefault(figure(measured[name]), []).append(SHORT[name])
    return "; ".join(f"{said} with {', '.join(names)}" for said, names in who.items())


def _behind(of: Mapping[str, int]) -> str:
    return f"{of['behind']} of {BEHIND}"


def _minted(of: Mapping[str, int]) -> str:
    return f"{of['first'] + of['renewals']} for {AT_ONCE} first and {of['renewing_calls']} later calls"


def _asked_again(of: Mapping[str, int]) -> str:
    return f"{of['refused']} for {of['refused_calls']} calls"


def _waited(of: Mapping[str, int]) -> str:
    return f"{of['waited']} for {of['renewals']} new tokens"


HEADING = "### How often a token is fetched, and who waits"

INTRODUCTION = f"""\
Providers of `client_credentials`, over HTTP, with a token server that counts and a server that takes only its
living tokens. Calls come {RATE} times a second, answered or not; refusals come at once. In renewals, tokens
live {LIFETIME} s and take {DELAY:.1f} s to make; who took half of that has waited. The slow call takes
{SLOW:.0f} s, and {BEHIND} quick ones follow it while a token is at hand.

ADK's is asked before each call, as ADK's credential manager asks it when no credential service is set, which
is its runner's default. `ServiceAccountCredentialExchanger` keeps tokens, but not of this grant."""
