"""A tool call through our gateway, through nginx and through FastMCP's proxy, one core each."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import peers
from benchmarks.issuer import issuer
from benchmarks.load import Measured, load
from benchmarks.report import Row, table

WORKS = {
    "an upstream that answers as fast as it can": 0.0,
    "an upstream that works 4.5 µs for each answer": 4.5,
}
TOOL = "get_animals_by_species"
UPSTREAM, NGINX, OSTIARY = "the upstream alone", "nginx `proxy_pass`", "Ostiary"
FASTMCP = "FastMCP 4.1.6 `create_proxy(url)`"
ORDER = (UPSTREAM, NGINX, OSTIARY, FASTMCP)


@dataclass(slots=True)
class Peer:
    """One of those compared, and what was measured so far with one connection and with a crowd of 16."""

    url: str
    tool: str = TOOL
    alone: list[Measured] = field(default_factory=list)
    crowd: list[Measured] = field(default_factory=list)

    def measure(self, token: str, seconds: float) -> None:
        """One more run of each."""
        core = peers.UPSTREAM_CORE
        for connections, measured in ((1, self.alone), (16, self.crowd)):
            arguments = (self.tool, token)
            measured.append(
                load(self.url, "call.lua", arguments, connections=connections, seconds=seconds, core=core)
            )

    @property
    def calls_per_second(self) -> float:
        """The median with a crowd."""
        return statistics.median(one.per_second for one in self.crowd)


def run(*, seconds: float, repeats: int, names: Sequence[str] = ORDER) -> str:
    """The section of the page: one table for each upstream, with the peers of these names."""
    peers.require("wrk", "nginx", "gcc", "taskset")
    tables = [f"### With {name}\n\n{_compare(work, seconds, repeats, names)}" for name, work in WORKS.items()]
    return "\n\n".join(["## A tool call through a gateway", INTRODUCTION, *tables])


def _compare(work: float, seconds: float, repeats: int, names: Sequence[str]) -> str:
    with contextlib.ExitStack() as stack:
        key_set, token = stack.enter_context(issuer())
        target = stack.enter_context(peers.upstream(work))
        start = {
            UPSTREAM: lambda: Peer(target),
            NGINX: lambda: Peer(stack.enter_context(peers.nginx(target)).url),
            OSTIARY: lambda: Peer(stack.enter_context(peers.ostiary(target, key_set)).url, f"zoo_{TOOL}"),
            FASTMCP: lambda: Peer(stack.enter_context(peers.fastmcp(target)).url),
        }
        compared = {name: start[name]() for name in names}
        for _ in range(repeats):
            for peer in compared.values():
                peer.measure(token, seconds)
    return _table(compared)


def _table(compared: dict[str, Peer]) -> str:
    rates = {name: peer.calls_per_second for name, peer in compared.items()}
    rows = [
        Row(
            name,
            [
                f"{statistics.median(one.p50 for one in peer.alone):,.0f} µs",
                f"{rates[name]:,.0f}",
                f"{statistics.median(one.p50 for one in peer.crowd):,.0f} µs",
                f"{rates[name] / rates[NGINX]:.2f}",
                f"{rates[name] / rates[FASTMCP]:,.0f}" if FASTMCP in rates else "",
                str(sum(one.failed for one in peer.alone + peer.crowd)),
            ],
        )
        for name, peer in compared.items()
    ]
    head = ["p50, 1 conn.", "calls/s, 16 conn.", "p50, 16 conn.", "of nginx", "times FastMCP", "failed"]
    return table(head, rows)


INTRODUCTION = """\
`tools/call` with a JSON answer of 250 bytes, sent by `wrk` with one thread. The proxy has one core to
itself; `wrk` and the upstream share the other. Runs are interleaved; each figure is the median of its runs.

Ostiary does more than its neighbours here: it verifies the caller's JWT (ES256, remembered for a minute),
checks that headers and body agree and that no key is there twice, takes the prefix off the name, gives the
request an id of its own, and puts the server's bearer token on it. nginx copies bytes and sets one header.
FastMCP's proxy builds a client for each call, lists the tools again, and is given no authentication."""
