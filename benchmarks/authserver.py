"""What our authorization server, oidc-provider and dex do in a second of a processor, one core each."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from benchmarks import peers
from benchmarks.authserver_peers import (
    OIDC_PROVIDER,
    OIDC_PROVIDER_ON_DISK,
    AuthServerPeer,
    our_authserver,
    their_authserver,
)
from benchmarks.authserver_requests import CREDENTIALS, KINDS, Kind
from benchmarks.dex_peer import DEX, DexUnavailable, dex
from benchmarks.load import Measured, load
from benchmarks.report import Row, table

OSTIARY = "Ostiary"
SERVERS: Mapping[str, Callable[[], contextlib.AbstractContextManager[AuthServerPeer]]] = {
    OSTIARY: our_authserver,
    OIDC_PROVIDER: their_authserver,
    OIDC_PROVIDER_ON_DISK: partial(their_authserver, on_disk=True),
    DEX: dex,
}
CROWD = 64
MOST_CODES = {1: 6_000, CROWD: 12_000}
"""Connections → more codes than are redeemed in a second. One that is presented twice counts as failed."""


@dataclass(slots=True)
class Runs:
    """What was measured of one server and one kind, with one connection and with a crowd."""

    alone: list[Measured] = field(default_factory=list)
    crowd: list[Measured] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of the server for a request of the crowd."""

    def measure(self, kind: Kind, peer: AuthServerPeer, seconds: float) -> None:
        """One more run of each."""
        self.alone.append(_run(kind, peer, 1, seconds)[0])
        measured, processor = _run(kind, peer, CROWD, seconds)
        self.crowd.append(measured)
        self.processor.append(processor)

    @property
    def per_processor_second(self) -> float:
        """The median with a crowd: so many requests take a second of the processor."""
        return 1e6 / statistics.median(self.processor)


def run(*, seconds: float, repeats: int, names: Collection[str] = tuple(SERVERS), cold: bool = False) -> str:
    """The section of the page. cold: nobody is warmed up, for whom the figures are nothing."""
    peers.require("wrk", "taskset")
    signatures = []
    with contextlib.ExitStack() as stack:
        started = dict(_started(names, stack))
        compared = {
            (kind, name): Runs()
            for kind in KINDS
            for name, peer in started.items()
            if _is_compared(kind, name, peer)
        }
        for kind, name in () if cold else compared:
            _run(kind, started[name], CROWD, 1)
        for _ in range(repeats):
            signatures.append(_signatures(seconds))
            for (kind, name), runs in compared.items():
                runs.measure(kind, started[name], seconds)
    return "\n\n".join(["## Tokens", INTRODUCTION, _table(compared, statistics.median(signatures))])


def _started(names: Collection[str], stack: contextlib.ExitStack) -> Iterator[tuple[str, AuthServerPeer]]:
    for name in names:
        try:
            yield name, stack.enter_context(SERVERS[name]())
        except DexUnavailable as reason:
            print(f"without dex: {reason}", file=sys.stderr)


def _is_compared(kind: Kind, name: str, peer: AuthServerPeer) -> bool:
    return kind.url(peer) is not None and (kind.stores or name != OIDC_PROVIDER_ON_DISK)


def _table(compared: Mapping[tuple[Kind, str], Runs], signatures: float) -> str:
    rows = [
        Row(
            f"{kind.name}: {name}",
            [
                f"{statistics.median(one.p50 for one in runs.alone):,.0f} µs",
                f"{statistics.median(one.per_second for one in runs.crowd):,.0f}",
                f"{statistics.median(one.p50 for one in runs.crowd):,.0f} µs",
                f"{statistics.median(runs.processor):,.0f} µs",
                f"{runs.per_processor_second:,.0f}",
                f"{runs.per_processor_second / compared[kind, OIDC_PROVIDER].per_processor_second:.2f}",
                f"{runs.per_processor_second / signatures:.2f}" if kind.signs else "",
                str(sum(one.failed for one in runs.alone + runs.crowd)),
            ],
        )
        for (kind, name), runs in compared.items()
    ]
    rows.append(Row("ES256 signatures of `cryptography` alone", [*[""] * 4, f"{signatures:,.0f}", *[""] * 3]))
    crowd = f"{CROWD} conn."
    head = ["p50, 1 conn.", f"per second, {crowd}", f"p50, {crowd}", "CPU each", "per CPU second"]
    return table([*head, "of `oidc-provider`", "of signatures", "failed"], rows)


def _run(kind: Kind, peer: AuthServerPeer, connections: int, seconds: float) -> tuple[Measured, float]:
    """What was measured, and the microseconds of the server's processor for a request."""
    url = kind.url(peer)
    assert url is not None
    with tempfile.NamedTemporaryFile("w", suffix=".forms") as file:
        if kind.forms is not None:
            forms = kind.forms(peer, round(seconds * MOST_CODES[connections]))
            file.write("\n".join(map(urlencode, forms)))
            file.flush()
        script = None if kind.forms is None else "forms.lua"
        arguments = () if kind.forms is None else (CREDENTIALS, file.name)
        before = peers.processor_seconds(peer.process_id)
        measured = load(
            url,
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
is redeemed once, with its PKCE verifier, and gives an access token and a refresh token. All servers get the
same bytes. Runs are interleaved; each figure is the median of its runs. "CPU each" is what a server's process
used, user and system, over its answers, and the ratios are of that: it is what a busy core allows, and is
steadier than the clock where others use the machine.

`oidc-provider` runs on Node 22 and keeps everything in a `Map` of its own process, which is faster than any
store; and once more in an SQLite file, where what is written in one turn of its event loop is committed
together. dex, in Go, keeps everything in its memory, too; with a code it gives an ID token as well, so it
signs twice, and of JWTs it introspects only those with RS256. Ostiary keeps codes, sessions and refresh
tokens in an SQLite file, and answers when they are on the disk; with each code come a person's upstream
tokens, which it seals. It writes each token issued to its audit file, and counts the requests of each client.
What is introspected is a JWT with Ostiary, and with `oidc-provider` an opaque token, the only kind that it
looks up.

Where Ostiary's time goes, by `cProfile`, which makes calls dearer than they are: of a client-credentials
token the signature is 15 %, HTTP around the endpoint 12 %, reading the form 9 %, the line of the audit 8 %,
proving the client 6 %. The rest is spread over small functions in Python."""
