"""Tokens per second of our authorization server and of oidc-provider, one core each."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks import peers
from benchmarks.authserver_peers import OIDC_PROVIDER, AuthServerPeer, our_authserver, their_authserver
from benchmarks.authserver_requests import CREDENTIALS, KINDS, Kind
from benchmarks.load import Measured, load
from benchmarks.report import Row, table

OSTIARY = "Ostiary"
SERVERS: Mapping[str, Callable[[], contextlib.AbstractContextManager[AuthServerPeer]]] = {
    OSTIARY: our_authserver,
    OIDC_PROVIDER: their_authserver,
}
MOST_CODES = {1: 6_000, 16: 12_000}
"""Connections → more codes than are redeemed in a second. One that is presented twice counts as failed."""


@dataclass(slots=True)
class Runs:
    """What was measured of one server and one kind, with one connection and with a crowd of 16."""

    alone: list[Measured] = field(default_factory=list)
    crowd: list[Measured] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of the server for a request of the crowd."""

    def measure(self, kind: Kind, peer: AuthServerPeer, seconds: float) -> None:
        """One more run of each."""
        self.alone.append(_run(kind, peer, 1, seconds)[0])
        measured, processor = _run(kind, peer, 16, seconds)
        self.crowd.append(measured)
        self.processor.append(processor)

    @property
    def per_second(self) -> float:
        """The median with a crowd."""
        return statistics.median(one.per_second for one in self.crowd)


def run(*, seconds: float, repeats: int, kinds: Sequence[Kind] = KINDS) -> str:
    """The section of the page."""
    peers.require("wrk", "taskset")
    compared = {(kind.name, name): Runs() for kind in kinds for name in SERVERS}
    signatures = []
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(start()) for name, start in SERVERS.items()}
        for kind in kinds:
            for peer in started.values():
                _run(kind, peer, 16, 1)  # so that nobody is measured cold
        for _ in range(repeats):
            signatures.append(_signatures(seconds))
            for kind in kinds:
                for name, peer in started.items():
                    compared[kind.name, name].measure(kind, peer, seconds)
    limit = statistics.median(signatures)
    rows = [row for kind in kinds for row in _rows(kind, compared, limit)]
    head = ["p50, 1 conn.", "per second, 16 conn.", "p50, 16 conn.", "CPU each", "of `oidc-provider`"]
    signed = (
        f"`cryptography` signs {limit:,.0f} times a second with ES256 on that core, and does nothing else."
    )
    return "\n\n".join(["## Tokens", INTRODUCTION, table([*head, "of signatures", "failed"], rows), signed])


def _rows(kind: Kind, compared: Mapping[tuple[str, str], Runs], limit: float) -> Iterator[Row]:
    theirs = compared[kind.name, OIDC_PROVIDER].per_second
    for name in SERVERS:
        runs = compared[kind.name, name]
        cells = [
            f"{statistics.median(one.p50 for one in runs.alone):,.0f} µs",
            f"{runs.per_second:,.0f}",
            f"{statistics.median(one.p50 for one in runs.crowd):,.0f} µs",
            f"{statistics.median(runs.processor):,.0f} µs",
            f"{runs.per_second / theirs:.2f}",
            f"{runs.per_second / limit:.2f}" if kind.signs else "",
            str(sum(one.failed for one in runs.alone + runs.crowd)),
        ]
        yield Row(f"{kind.name}: {name}", cells)


def _run(kind: Kind, peer: AuthServerPeer, connections: int, seconds: float) -> tuple[Measured, float]:
    """What was measured, and the microseconds of the server's processor for a request."""
    with tempfile.NamedTemporaryFile("w", suffix=".forms") as file:
        if kind.forms is not None:
            forms = kind.forms(peer, round(seconds * MOST_CODES[connections]))
            file.write("\n".join(map(urlencode, forms)))
            file.flush()
        script = None if kind.forms is None else "forms.lua"
        arguments = () if kind.forms is None else (CREDENTIALS, file.name)
        before = peers.processor_seconds(peer.process_id)
        measured = load(
            kind.url(peer),
            script,
            arguments,
            connections=connections,
            seconds=seconds,
            core=peers.UPSTREAM_CORE,
        )
        used = peers.processor_seconds(peer.process_id) - before
    return measured, used / measured.requests * 1e6


def _signatures(seconds: float) -> float:
    command = ["taskset", "-c", str(peers.GATEWAY_CORE), sys.executable, "-m", "benchmarks.signatures"]
    finished = subprocess.run([*command, str(seconds)], capture_output=True, text=True, check=True)
    return float(finished.stdout)


INTRODUCTION = """\
Requests sent by `wrk` with one thread; the server has one core to itself, and `wrk` the other. The client
authenticates with `client_secret_basic`; access tokens are JWTs signed with ES256, for one resource. A code
is redeemed once, with its PKCE verifier, and gives an access token and a refresh token. Both servers get the
same bytes. Runs are interleaved; each figure is the median of its runs.

`oidc-provider` runs on Node 22 and keeps everything in a `Map` of its own process, which is faster than any
store. Ostiary keeps codes, sessions and refresh tokens in an SQLite file, and answers when they are on the
disk; with each code come a person's upstream tokens, which it seals. It writes each token issued to its audit
file, and counts the requests of each client. What is introspected is a JWT with Ostiary, and with
`oidc-provider` an opaque token, the only kind that it looks up."""
