"""A tool call through our gateway, through nginx and through FastMCP's proxy, one core each."""

from __future__ import annotations

import contextlib
import statistics
from dataclasses import dataclass, field

from benchmarks import peers
from benchmarks.issuer import issuer
from benchmarks.load import Measured, load
from benchmarks.report import Row, table

WORKS = {
    "an upstream that answers as fast as it can": 0.0,
    "an upstream that works 5.5 µs for each answer": 5.5,
}
TOOL = "get_animals_by_species"
ORDER = ("the upstream alone", "nginx `proxy_pass`", "Ostiary", "FastMCP 4.1.6 `create_proxy(url)`")


@dataclass(slots=True)
class Peer:
    """One of those compared, and what was measured so far."""

    url: str
    tool: str = TOOL
    alone: list[Measured] = field(default_factory=list)
    crowd: list[Measured] = field(default_factory=list)


def run(*, seconds: float, repeats: int) -> str:
    """The section of the page: one table for each upstream."""
    peers.require("wrk", "nginx", "gcc", "taskset")
    tables = [f"### With {name}\n\n{_compare(work, seconds, repeats)}" for name, work in WORKS.items()]
    return "\n\n".join(["## A tool call through a gateway", INTRODUCTION, *tables])


def _compare(work: float, seconds: float, repeats: int) -> str:
    with contextlib.ExitStack() as stack:
        key_set, token = stack.enter_context(issuer())
        target = stack.enter_context(peers.upstream(work))
        compared = {
            ORDER[0]: Peer(target),
            ORDER[1]: Peer(stack.enter_context(peers.nginx(target))),
            ORDER[2]: Peer(stack.enter_context(peers.ostiary(target, key_set)), f"zoo_{TOOL}"),
            ORDER[3]: Peer(stack.enter_context(peers.fastmcp(target))),
        }
        for _ in range(repeats):
            for peer in compared.values():
                for connections, measured in ((1, peer.alone), (16, peer.crowd)):
                    measured.append(
                        load(
                            peer.url,
                            peer.tool,
                            token,
                            connections=connections,
                            seconds=seconds,
                            core=peers.UPSTREAM_CORE,
                        )
                    )
    return _table(compared)


def _table(compared: dict[str, Peer]) -> str:
    rates = {
        name: statistics.median(one.calls_per_second for one in peer.crowd) for name, peer in compared.items()
    }
    rows = [
        Row(
            name,
            [
                f"{statistics.median(one.p50 for one in peer.alone):,.0f} µs",
                f"{rates[name]:,.0f}",
                f"{statistics.median(one.p50 for one in peer.crowd):,.0f} µs",
                f"{rates[name] / rates[ORDER[1]]:.2f}",
                f"{rates[name] / rates[ORDER[3]]:,.0f}",
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
