"""What a legacy client's session costs while nothing goes on in it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks import peers
from benchmarks.held_memory import resident
from benchmarks.issuer import issuer_for
from benchmarks.mcp_client import McpClient
from benchmarks.report import Row, table
from benchmarks.vmcp_peer import VMCP, VmcpUnavailable, vmcp

OF_ONE = 25
"""Sessions of one caller: fewer than it may have."""
FIRST = 200
"""Begun before anything is measured."""
MOST_OF_VMCP = 800
"""It drops older ones at a thousand."""
SETTLING_SECONDS = 1


def session_memory(sessions: int) -> str:
    """The table. sessions: how many are begun at ours."""
    return table(["sessions", "KiB each"], [*_rows(sessions)])


def _rows(sessions: int) -> Iterator[Row]:
    callers = [f"caller-{number}" for number in range((FIRST + sessions) // OF_ONE + 1)]
    with issuer_for(callers) as (key_set, tokens):
        ours = partial(peers.ostiary, key_set=key_set)
        for era in ("legacy", "modern"):
            yield _row(f"Ostiary, {era} server", sessions, era, ours, tokens)
        theirs = partial(vmcp, key_set=key_set)
        try:
            yield _row(f"{VMCP}, legacy server", min(sessions, MOST_OF_VMCP), "legacy", theirs, tokens)
        except VmcpUnavailable as reason:
            print(f"without vMCP: {reason}", file=sys.stderr)


def _row(
    name: str,
    sessions: int,
    era: str,
    start: Callable[[str], contextlib.AbstractContextManager[peers.Served]],
    tokens: Sequence[str],
) -> Row:
    with peers.upstream(0, era) as target, start(target) as served:
        _begin(served.url, tokens, range(FIRST))
        before = resident(served.process_id)
        _begin(served.url, tokens, range(FIRST, FIRST + sessions))
        grown = resident(served.process_id) - before
    return Row(name, [f"{sessions:,}", f"{grown / sessions / 1024:.1f}"])


def _begin(url: str, tokens: Sequence[str], numbers: range) -> None:
    for first in range(numbers.start, numbers.stop, OF_ONE):
        with McpClient(url, tokens[first // OF_ONE]) as client:
            for _ in range(first, min(first + OF_ONE, numbers.stop)):
                client.begin_session()
    time.sleep(SETTLING_SECONDS)
