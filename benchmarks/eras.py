"""A tool call of clients and servers of either era, through our gateway and others, one core each."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks import peers
from benchmarks.issuer import issuer
from benchmarks.load import Measured, load
from benchmarks.mcp_client import McpClient, Refused
from benchmarks.report import Row, table
from benchmarks.session_memory import session_memory
from benchmarks.vmcp_peer import VMCP, VmcpUnavailable, vmcp

TOOL = "get_animals_by_species"
CROWD = 16
SESSIONS = 4000
"""At rest: a server is let have 4,096."""
MODERN, LEGACY = "modern", "legacy"
_SCRIPTS = {MODERN: "call.lua", LEGACY: "session_call.lua"}
OVER_STDIO = " over stdio"
NGINX, OSTIARY, FASTMCP = "nginx `proxy_pass`", "Ostiary", "FastMCP 4.1.6 `create_proxy`"
GATEWAYS = (NGINX, OSTIARY, VMCP, FASTMCP)
WAYS = (
    (MODERN, MODERN),
    (LEGACY, LEGACY),
    (MODERN, LEGACY),
    (LEGACY, MODERN),
    (MODERN, MODERN + OVER_STDIO),
    (LEGACY, LEGACY + OVER_STDIO),
)
"""Eras of a client and of a server."""


@dataclass(slots=True)
class Runs:
    """Calls of one client's era through one gateway, and what was measured of them so far."""

    served: peers.Served
    script: str
    arguments: tuple[str, ...]
    alone: list[Measured] = field(default_factory=list)
    crowd: list[Measured] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of the gateway's processor for a call of the crowd."""

    def measure(self, seconds: float) -> None:
        """One more run with one connection, and with a crowd."""
        self.alone.append(self._load(1, seconds))
        before = peers.processor_seconds(self.served.process_id)
        measured = self._load(CROWD, seconds)
        used = peers.processor_seconds(self.served.process_id) - before
        self.crowd.append(measured)
        self.processor.append(used / measured.requests * 1e6 if measured.requests else 0.0)

    def _load(self, connections: int, seconds: float) -> Measured:
        core = peers.UPSTREAM_CORE
        url, script, arguments = self.served.url, self.script, self.arguments
        return load(url, script, arguments, connections=connections, seconds=seconds, core=core)


Compared = Mapping[tuple[str, str, str], Runs]
"""By the eras of client and server, and the name of the gateway."""


def run(*, seconds: float, repeats: int) -> str:
    """The section of the page."""
    return "\n\n".join(
        ["## Either era", INTRODUCTION, calls(seconds, repeats), MEMORY, session_memory(SESSIONS)]
    )


def calls(
    seconds: float, repeats: int, names: Collection[str] = GATEWAYS, ways: Sequence[tuple[str, str]] = WAYS
) -> str:
    """The table of calls, of these ways through these gateways."""
    peers.require("wrk", "nginx", "gcc", "taskset")
    with contextlib.ExitStack() as stack:
        key_set, token = stack.enter_context(issuer())
        started = dict(_started(names, {server for _, server in ways}, key_set, stack))
        compared = dict(_answering(ways, started, token))
        for _ in range(repeats):
            for runs in compared.values():
                runs.measure(seconds)
    return _table(compared)


def _started(
    names: Collection[str], servers: Collection[str], key_set: str, stack: contextlib.ExitStack
) -> Iterator[tuple[tuple[str, str], peers.Served]]:
    """By server and name, all that can be had."""
    targets = {era: stack.enter_context(peers.upstream(0, era)) for era in (MODERN, LEGACY)}
    programs = {era + OVER_STDIO: peers.program(era) for era in (MODERN, LEGACY)}
    starts: dict[str, Callable[..., contextlib.AbstractContextManager[peers.Served]]] = {
        NGINX: peers.nginx,
        OSTIARY: partial(peers.ostiary, key_set=key_set),
        VMCP: partial(vmcp, key_set=key_set),
        FASTMCP: peers.fastmcp,
    }
    for name in names:
        reached = targets if name in (NGINX, VMCP) else targets | programs
        try:
            for server in reached.keys() & servers:
                yield (server, name), stack.enter_context(starts[name](reached[server]))
        except VmcpUnavailable as reason:
            print(f"without vMCP: {reason}", file=sys.stderr)


def _answering(
    ways: Sequence[tuple[str, str]], started: Mapping[tuple[str, str], peers.Served], token: str
) -> Iterator[tuple[tuple[str, str, str], Runs]]:
    """Those through which a call comes back with what it asked for."""
    for client, server in ways:
        for name in GATEWAYS:
            served = started.get((server, name))
            if served is None or (name == NGINX and client != server):
                continue
            tool = f"zoo_{TOOL}" if name in (OSTIARY, VMCP) else TOOL
            try:
                with McpClient(served.url, token) as caller:
                    session = caller.begin_session() if client == LEGACY else None
                    caller.call(tool, session)
            except Refused as refused:
                print(f"{client} → {server}, without {name}: {refused}", file=sys.stderr)
                continue
            said = (tool, token) if session is None else (tool, token, session)
            yield (client, server, name), Runs(served, _SCRIPTS[client], said)


def _table(compared: Compared) -> str:
    rows = [
        Row(
            f"{client} → {server}: {name}",
            [
                _microseconds(one.p50 for one in runs.alone),
                f"{statistics.median(one.per_second for one in runs.alone):,.0f}",
                _microseconds(one.p50 for one in runs.crowd),
                f"{_rate(runs):,.0f}",
                _of_nginx(compared, server, runs),
                _microseconds(runs.processor),
                str(sum(one.failed for one in runs.alone + runs.crowd)),
            ],
        )
        for (client, server, name), runs in compared.items()
    ]
    crowd = f"{CROWD} conn."
    head = ["p50, 1 conn.", "calls/s, 1 conn.", f"p50, {crowd}", f"calls/s, {crowd}"]
    return table([*head, "of nginx", "CPU each", "failed"], rows)


def _microseconds(measured: Iterable[float]) -> str:
    """Nothing where no call came to its end."""
    median = statistics.median(measured)
    return f"{median:,.0f} µs" if median else ""


def _rate(runs: Runs) -> float:
    return statistics.median(one.per_second for one in runs.crowd)


def _of_nginx(compared: Compared, server: str, runs: Runs) -> str:
    """Of nginx before the same server, whose clients are of the server's era."""
    nginx = compared.get((server, server, NGINX))
    return "" if nginx is None else f"{_rate(runs) / _rate(nginx):.2f}"


INTRODUCTION = """\
`tools/call` with a JSON answer of 250 bytes, from a client of the first era to a server of the second: modern
is MCP 2026-07-28, legacy 2025-11-25, with a handshake and a session. All calls of a legacy client are in one
session. As above, the gateway has one core, and `wrk` and the server the other; all are up at once, runs are
interleaved, and each figure is the median of its runs. "CPU each" is what the gateway's process used, user
and system, over its answers.

Ostiary and vMCP verify the caller's JWT, take a prefix off the tool's name, and put the server's bearer token
on it; FastMCP is given no authentication. nginx translates nothing: its share is that of nginx before the
same server, with a client of the server's era. Neither nginx nor vMCP starts programs, for stdio, and
FastMCP's proxy speaks to its server in the era of its client, so that it has no place where they differ."""
MEMORY = """\
### A legacy session at rest

What the gateway's resident memory grew by for each session that was begun and left, with a legacy server
behind it, where each has a session of its own, and with a modern one, which knows of none. The aim is
10 KiB."""
