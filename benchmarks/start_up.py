"""What starting takes: our commands and servers, FastMCP's and mcp-remote."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.peers.npm import npm_peer

from benchmarks import peers
from benchmarks.issuer import ISSUER, issuer
from benchmarks.report import Row, table
from benchmarks.starts import Cost, carrying, ending, listening, median

OSTIARY = [sys.executable, "-m", "ostiary"]
MCP_REMOTE = "mcp-remote@0.15.1"
TOOL, SPECIES = "get_animals_by_species", "penguin"
CLIENT_ID, SECRET = "bench", "correct-horse-battery-staple-4711"
ENVIRONMENT = {"UPSTREAM_TOKEN": SECRET, "CORP_SECRET": SECRET, "CLIENT_SECRET": SECRET}
FORM = "application/x-www-form-urlencoded"
REVISION = "2026-07-28"
CONVERSATION = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": TOOL, "arguments": {"species": SPECIES}},
    },
)


@dataclass(frozen=True, slots=True)
class Start:
    """One that is measured. What is aimed at is not to be exceeded."""

    name: str
    run: Callable[[Path], Cost]
    """In this folder, which is empty."""
    seconds: float | None = None
    processor: float | None = None
    memory: float | None = None


def run(*, repeats: int, quick: bool = False) -> str:
    """The section of the page. quick: without peers and not warmed up, for which figures are nothing."""
    with contextlib.ExitStack() as stack:
        port = peers.free_port()
        zoo = [*OSTIARY, "zoo", "--port", str(port)]
        stack.enter_context(peers.running(zoo, port, core=peers.UPSTREAM_CORE))
        url = f"http://127.0.0.1:{port}/mcp"
        commands = [*_commands(url)]
        servers = [*_bridges(url), *_listeners(url, *stack.enter_context(issuer()))]
        if not quick:
            commands += _their_commands(url)
            servers += [*_their_bridges(url), *_proxy(url)]
        ended = _measured(commands, repeats, cold=quick)
        stood = _measured(servers, repeats, cold=quick)
    return "\n\n".join([HEADING, INTRODUCTION, _ended(ended), SERVERS, _stood(stood), REMAINS])


def _measured(starts: Iterable[Start], repeats: int, *, cold: bool) -> dict[Start, Cost]:
    """The medians. cold: else each is started once before, which writes its bytecode."""
    costs: dict[Start, list[Cost]] = {start: [] for start in starts}
    for repeat in range(cold, repeats + 1):
        for start, so_far in costs.items():
            with tempfile.TemporaryDirectory() as folder:
                cost = start.run(Path(folder))
            if repeat > 0:
                so_far.append(cost)
    return {start: median(so_far) for start, so_far in costs.items()}


def _ended(measured: Mapping[Start, Cost]) -> str:
    head = ["CPU", "aim", "memory at most", "aim"]
    rows = [
        Row(
            start.name,
            [
                f"{cost.processor:.2f} s",
                _aim(start.processor, "s"),
                f"{cost.memory:.0f} MiB",
                _aim(start.memory, "MiB"),
            ],
        )
        for start, cost in measured.items()
    ]
    return table(head, rows)


def _stood(measured: Mapping[Start, Cost]) -> str:
    head = ["first answer", "aim", "CPU until then", "memory at rest", "aim", "ended in"]
    rows = [
        Row(
            start.name,
            [
                f"{cost.seconds:.2f} s",
                _aim(start.seconds, "s"),
                f"{cost.processor:.2f} s",
                f"{cost.memory:.0f} MiB",
                _aim(start.memory, "MiB"),
                f"{cost.stopping:.2f} s",
            ],
        )
        for start, cost in measured.items()
    ]
    return table(head, rows)


def _aim(aim: float | None, unit: str) -> str:
    return "" if aim is None else f"{aim:g} {unit}"


def _commands(url: str) -> Iterator[Start]:
    def one(name: str, *words: str, **aims: float) -> Start:
        return Start(name, partial(ending, [*OSTIARY, *words], environment=ENVIRONMENT), **aims)

    def check(folder: Path) -> Cost:
        file = _written(folder, _gateway(9, url, [{"issuer": ISSUER, "audience": "benchmark"}]))
        return ending([*OSTIARY, "check", "-c", file], folder, ENVIRONMENT)

    yield Start("`python -c pass`", partial(ending, [sys.executable, "-c", "pass"], environment={}))
    yield one("`ostiary --help`", "--help", processor=0.15)
    yield Start("`ostiary check`", check, processor=0.6)
    yield one("`ostiary tools URL`", "tools", url, processor=0.7)
    yield one("`ostiary call URL TOOL`", "call", url, TOOL, f"species={SPECIES}", processor=0.7)


def _their_commands(url: str) -> Iterator[Start]:
    for name, words in {
        "`fastmcp --help`": ["--help"],
        "`fastmcp list URL`": ["list", url],
        "`fastmcp call URL TOOL`": ["call", url, TOOL, f"species={SPECIES}"],
    }.items():
        yield Start(name, partial(ending, [*_fastmcp(), *words], environment={}))


def _bridges(url: str) -> Iterator[Start]:
    bridge = partial(carrying, [*OSTIARY, "bridge", url], environment={}, said=CONVERSATION)
    yield Start("`ostiary bridge URL`", bridge, memory=55)


def _their_bridges(url: str) -> Iterator[Start]:
    proxy = [*_fastmcp(), "run", url, "--no-banner"]
    yield Start("`fastmcp run URL`", partial(carrying, proxy, environment={}, said=CONVERSATION))
    if shutil.which("npm") is not None:
        peer = npm_peer("mcp-remote", MCP_REMOTE)
        remote = [peer.program("mcp-remote"), url, "--transport", "http-only"]
        yield Start(
            "`mcp-remote URL`",
            lambda folder: carrying(
                remote, folder, peer.environment | {"MCP_REMOTE_CONFIG_DIR": str(folder)}, CONVERSATION
            ),
        )


def _listeners(url: str, key_set: str, token: str) -> Iterator[Start]:
    def gateway(inbound: list[dict[str, str]] | None, folder: Path) -> Cost:
        port = peers.free_port()
        return _up(folder, _gateway(port, url, inbound), lambda: _called(port, f"zoo_{TOOL}", token))

    def authserver(folder: Path, *, again: bool = False) -> Cost:
        port = peers.free_port()
        written = _authserver(port, "https://mcp.example.com/mcp")
        costs = [_up(folder, written, lambda: _token(port)) for _ in range(1 + again)]
        return costs[-1]

    def both(folder: Path) -> Cost:
        port, gateway_port = peers.free_port(), peers.free_port()
        inbound = [{"issuer": f"http://127.0.0.1:{port}"}]
        written = _gateway(gateway_port, url, inbound)
        written |= _authserver(port, f"http://127.0.0.1:{gateway_port}/mcp")

        def answers() -> bool:
            given = _token(port)
            return given is not None and _called(gateway_port, f"zoo_{TOOL}", given)

        return _up(folder, written, answers)

    callers = [{"issuer": ISSUER, "jwks_url": key_set, "audience": "benchmark"}]
    yield Start("`ostiary up`: an open gateway", partial(gateway, None), seconds=1, memory=65)
    yield Start("`ostiary up`: a gateway for JWTs", partial(gateway, callers), seconds=1, memory=65)
    yield Start("`ostiary up`: an authorization server, new", authserver, seconds=1, memory=85)
    yield Start("… with the store of before", partial(authserver, again=True), seconds=1, memory=85)
    yield Start("`ostiary up`: both, new", both, seconds=1)


def _proxy(url: str) -> Iterator[Start]:
    def proxy(folder: Path) -> Cost:
        port = peers.free_port()
        command = [str(peers.fastmcp_python()), str(peers.HERE / "fastmcp_proxy.py"), str(port), url]
        return listening(command, folder, {}, lambda: _called(port, TOOL, "nobody asks for one"))

    yield Start("FastMCP 4.1.6 `create_proxy(url)`", proxy)


def _fastmcp() -> list[str]:
    return [str(peers.fastmcp_python().with_name("fastmcp"))]


def _up(folder: Path, written: Mapping[str, Any], answers: Callable[[], object]) -> Cost:
    return listening([*OSTIARY, "up", "-c", _written(folder, written)], folder, ENVIRONMENT, answers)


def _written(folder: Path, file: Mapping[str, Any]) -> str:
    path = folder / "ostiary.yaml"
    path.write_text(json.dumps(file))
    return str(path)


def _gateway(port: int, url: str, inbound: list[dict[str, str]] | None) -> dict[str, Any]:
    who = {"allow_unauthenticated": True} if inbound is None else {"inbound": inbound}
    credential = {"type": "bearer", "token": {"env": "UPSTREAM_TOKEN"}}
    servers = {"zoo": {"url": url, "credential": credential}}
    return {"gateway": {"listen": f"127.0.0.1:{port}", "servers": servers, **who}}


def _authserver(port: int, resource: str) -> dict[str, Any]:
    idp = {"name": "corp", "issuer": "https://corp.example.com", "client_id": "ostiary"}
    client = {
        "client_id": CLIENT_ID,
        "client_secret": {"env": "CLIENT_SECRET"},
        "grant_types": ["client_credentials"],
    }
    return {
        "authserver": {
            "listen": f"127.0.0.1:{port}",
            "issuer": f"http://127.0.0.1:{port}",
            "upstream_idps": [idp | {"client_secret": {"env": "CORP_SECRET"}}],
            "resources": [
                {"resource": resource, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]}
            ],
            "clients": [client],
        },
        "storage": {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}},
    }


def _called(port: int, tool: str, token: str) -> bool:
    """Whether a call was answered."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    params = {"name": tool, "arguments": {"species": SPECIES}, "_meta": meta}
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {token}",
        "mcp-protocol-version": REVISION,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    return _posted(port, "/mcp", body, headers) is not None


def _token(port: int) -> str | None:
    """What the authorization server gives the client; None while it is not there."""
    basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    form = urlencode({"grant_type": "client_credentials", "scope": "mcp"})
    answer = _posted(port, "/oauth/token", form, {"authorization": f"Basic {basic}", "content-type": FORM})
    return None if answer is None else str(json.loads(answer)["access_token"])


def _posted(port: int, path: str, body: str, headers: Mapping[str, str]) -> bytes | None:
    """The answer; None while nobody is there. Raises RuntimeError when it is no success."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
        except OSError:
            return None
        said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"port {port} answered {answer.status}: {said!r}")
    return said


HEADING = "## Starting"
INTRODUCTION = """\
Each is started once before it is measured, so that its bytecode is written. Then runs are interleaved; each
figure is the median of its runs. CPU is that of all threads. The server that is asked is our zoo."""
SERVERS = """\
A gateway or an authorization server is asked, again and again, until it answers the first call of a tool, or
gives the first token; a bridge is told on its standard input to call a tool. Memory is what is resident two
seconds later, and the end is what SIGTERM leads to."""
REMAINS = """\
What remains is what is loaded ([decision 12](../docs/decisions/0012-what-a-process-loads.md)), by
`python -X importtime`. The help: Python, Typer and what Typer loads. A gateway: two fifths are pydantic and
the models of the settings that it draws up, the rest uvicorn, Starlette and our own modules; one that
verifies JWTs loads `cryptography` and `joserfc` besides, which is most of the difference in memory, too. An
authorization server: a quarter is SQLAlchemy's core, two fifths are our own modules, whose models and
statements are drawn up as they are loaded, and a tenth is `cryptography` and `joserfc`."""
