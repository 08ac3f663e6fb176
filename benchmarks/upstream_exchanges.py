"""What a workload pays for a person's upstream token, beside a bare TLS handshake and oidc-provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from urllib.parse import urlencode, urlsplit

from benchmarks import peers
from benchmarks.authserver_peers import (
    CLIENT_ID,
    CLIENT_SECRET,
    OIDC_PROVIDER,
    REDIRECT_URI,
    RESOURCE,
    await_start,
    folder_on_disk,
    insert_codes,
    redeem,
    their_authserver,
)
from benchmarks.authserver_requests import CREDENTIALS, INTROSPECTED
from benchmarks.posting import Posting
from benchmarks.report import Row, table
from ostiary.certificates.authority import make_authority
from ostiary.certificates.issued_files import IssuedFiles
from ostiary.certificates.settings import CaDirectory
from ostiary.identity.spiffe import SpiffeId

CROWD = 16
TRUST_DOMAIN = "ostiary.local"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
HANDSHAKE = "mutual TLS handshake alone"
COLD = "exchange, a connection each time"
WARM = "exchange, connection kept"
INTROSPECTION = f"introspection by {OIDC_PROVIDER}, plain HTTP, connection kept"


@dataclass(slots=True)
class Runs:
    """What was measured of one kind. Microseconds."""

    alone: list[float] = field(default_factory=list)
    """At half of the requests of one connection."""
    per_second: list[float] = field(default_factory=list)
    """Requests of a crowd."""
    processor: list[float] = field(default_factory=list)
    """Of the server, for a request of the crowd."""
    failed: int = 0

    def measure(self, posting: Posting, process_id: int) -> None:
        """One more run with one connection, and with a crowd."""
        told = _posted(replace(posting, connections=1))
        self.alone.append(told["p50"] * 1e6)
        self.failed += int(told["failed"])
        before = peers.processor_seconds(process_id)
        told = _posted(posting)
        self.processor.append((peers.processor_seconds(process_id) - before) / told["requests"] * 1e6)
        self.per_second.append(told["requests"] / told["seconds"])
        self.failed += int(told["failed"])


def run(*, seconds: float, repeats: int) -> str:
    """The section of the page."""
    peers.require("taskset")
    with our_port(seconds) as (ours, process_id), _introspection(seconds) as (theirs, their_process_id):
        kinds = {
            HANDSHAKE: (replace(ours, forms=[], connects_each_time=True), process_id),
            COLD: (replace(ours, connects_each_time=True), process_id),
            WARM: (ours, process_id),
            INTROSPECTION: (theirs, their_process_id),
        }
        compared = {name: Runs() for name in kinds}
        for _ in range(repeats):
            for name, (posting, of_process) in kinds.items():
                compared[name].measure(posting, of_process)
    return "\n\n".join(["## Upstream tokens", INTRODUCTION, _table(compared)])


@contextlib.contextmanager
def our_port(seconds: float) -> Iterator[tuple[Posting, int]]:
    """Exchanges of the people of an SQLite file, as the owner of their sessions asks for them."""
    port, internal = peers.free_port(), peers.free_port()
    template = Template((peers.HERE / "upstream_exchanges.yaml").read_text())
    named = {"resource": RESOURCE, "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}
    environment = {"CORP_SECRET": CLIENT_SECRET, "CLIENT_SECRET": CLIENT_SECRET}
    with folder_on_disk() as name:
        folder = Path(name)
        file = folder / "ostiary.yaml"
        file.write_text(template.substitute(port=port, internal=internal, **named))
        now = time.time()
        authority = make_authority(CaDirectory(folder / "pki"), TRUST_DOMAIN, now=now)
        owner = SpiffeId(TRUST_DOMAIN, "/ns/default/mcpserver/gateway")
        IssuedFiles(folder / "gateway").write(authority.issue(owner, (), now=now))
        command = [sys.executable, "-m", "ostiary", "up", "-c", str(file)]
        with peers.running(command, port, core=peers.GATEWAY_CORE, environment=environment) as process_id:
            await_start(f"http://127.0.0.1:{port}")
            codes = asyncio.run(insert_codes(file, INTROSPECTED))
            tokens = redeem(f"http://127.0.0.1:{port}/oauth/token", codes)
            yield (
                Posting(
                    internal,
                    "/internal/token-exchange",
                    [_exchange(token) for token in tokens],
                    CROWD,
                    seconds,
                    certificates=str(folder / "gateway"),
                ),
                process_id,
            )


def _exchange(token: str) -> str:
    return urlencode(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": "corp",
            "resource": "zoo",
        }
    )


@contextlib.contextmanager
def _introspection(seconds: float) -> Iterator[tuple[Posting, int]]:
    with their_authserver() as peer:
        assert peer.introspection_url is not None
        assert peer.new_tokens is not None
        url = urlsplit(peer.introspection_url)
        assert url.port is not None
        forms = [urlencode({"token": token}) for token in peer.new_tokens(INTROSPECTED)]
        headers = {"authorization": CREDENTIALS}
        yield Posting(url.port, url.path, forms, CROWD, seconds, headers=headers), peer.process_id


def _posted(posting: Posting) -> Mapping[str, float]:
    command = ["taskset", "-c", str(peers.UPSTREAM_CORE), sys.executable, "-m", "benchmarks.posting"]
    finished = subprocess.run(
        command,
        input=posting.as_json(),
        capture_output=True,
        text=True,
        check=True,
        timeout=posting.seconds + 30,
    )
    told: Mapping[str, float] = json.loads(finished.stdout)
    return told


def _table(compared: Mapping[str, Runs]) -> str:
    rows = [
        Row(
            name,
            [
                f"{statistics.median(runs.alone):,.0f} µs",
                f"{statistics.median(runs.per_second):,.0f}",
                f"{statistics.median(runs.processor):,.0f} µs",
                f"{1e6 / statistics.median(runs.processor):,.0f}",
                str(runs.failed),
            ],
        )
        for name, runs in compared.items()
    ]
    crowd = f"{CROWD} conn."
    return table(["p50, 1 conn.", f"per second, {crowd}", "CPU each", "per CPU second", "failed"], rows)


INTRODUCTION = """\
A workload shows a person's access token and its own certificate, and gets the person's upstream token. The
server has one core, and a small program that posts has the other; what keeps up is rather that program, so
that "CPU each", which is what the server's process used, user and system, over its answers, says more than
the requests of a second. Each exchange verifies the JWT, reads the session, whether it was revoked and the
account from an SQLite file, opens the sealed token, and is a line of the audit. A gateway asks once for each
person and account, and keeps the token in its memory: what that costs a request is in the table of cached
tokens. `oidc-provider` looks an opaque token up in a `Map` of its own memory."""
