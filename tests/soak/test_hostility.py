"""Everybody hostile at once, beside 50 honest callers who must not notice.

`OSTIARY_SOAK_SECONDS` says for how long (60 by default). Then it may take a minute until the memory is back.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from tests.end_to_end.conftest import listening
from tests.peers.mcp_clients.client import free_port
from tests.soak.hostility import META

from ostiary.transport.inline_http import Answer, Request

SECONDS = float(os.environ.get("OSTIARY_SOAK_SECONDS", "60"))
HONEST = 50
SLOW = 1.0
"""Seconds that an honest caller would notice."""
PAUSES = 1 / 1000
"""Of all waits, those that may be a pause of the machine's own."""
MOST_HELD = 512 * 1024 * 1024
BACK = 96 * 1024 * 1024
"""What an allocator may keep for the next time."""
MEMORY_IS_BACK_WITHIN = 60
SECRET = "correct-horse-battery-staple-4711"
HOSTILITY = Path(__file__).with_name("hostility.py")


async def honest_server(request: Request) -> Answer:
    """An MCP server that answers whoever asks properly, at once."""
    try:
        message_id = json.loads(await request.whole())["id"]
    except (ValueError, KeyError, TypeError):
        return Answer(400, b"")
    answer = {"jsonrpc": "2.0", "id": message_id, "result": {"resultType": "complete"}}
    return Answer(200, json.dumps(answer).encode())


@dataclass
class Ports:
    """Where everything listens."""

    gateway: int = field(default_factory=free_port)
    authserver: int = field(default_factory=free_port)
    google: int = field(default_factory=free_port)
    front_end: int = field(default_factory=free_port)
    hostile: int = field(default_factory=free_port)


def ostiary_file(ports: Ports, honest: str) -> dict[str, Any]:
    jwks_url = f"http://127.0.0.1:{ports.google}/oauth2/v3/certs"
    return {
        "gateway": {
            "listen": f"127.0.0.1:{ports.gateway}",
            "inbound": [
                {"type": "google_id_token", "jwks_url": jwks_url, "allow": [{"email": "*@example.com"}]}
            ],
            "servers": {
                "honest": {"url": f"{honest}/mcp"},
                "hostile": {"url": f"http://127.0.0.1:{ports.hostile}/mcp", "timeout": "5s"},
            },
        },
        "authserver": {
            "listen": f"127.0.0.1:{ports.authserver}",
            "issuer": f"http://127.0.0.1:{ports.authserver}",
            "upstream_idps": [{"name": "corp", "issuer": "https://corp.example.com", "client_id": "ostiary"}],
            "resources": [
                {
                    "resource": f"http://127.0.0.1:{ports.gateway}/mcp",
                    "owner": "default/gateway",
                    "scopes": ["mcp"],
                    "idps": ["corp"],
                }
            ],
            "registration": {"dynamic": True},
            "clients": [
                {
                    "client_id": "ci",
                    "client_secret": {"file": "ci.secret"},
                    "grant_types": ["client_credentials"],
                    "token_endpoint_auth_method": "client_secret_basic",
                    "scopes": ["mcp"],
                }
            ],
        },
        "storage": {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}},
        "telemetry": {"audit": "audit.jsonl"},
    }


def emulator_file(ports: Ports, honest: str) -> dict[str, Any]:
    light = {"url": honest, "listen": f"127.0.0.1:{ports.front_end}", "invokers": ["allUsers"]}
    return {"listen": f"127.0.0.1:{ports.google}", "services": {"light": light}}


@contextlib.asynccontextmanager
async def program(*command: str, directory: Path, ready: bytes) -> AsyncIterator[asyncio.subprocess.Process]:
    """It runs while the block does; its standard error is kept in the directory."""
    with (directory / f"{'-'.join(command[-3:]).replace('/', '_')}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=directory, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                while ready not in (line := await process.stdout.readline()):
                    assert line, f"{command} ended before it was ready"
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def resident(process: asyncio.subprocess.Process) -> int:
    """Bytes of memory that it has now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def worked(process: asyncio.subprocess.Process) -> float:
    """Seconds of a processor that it has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kept_waiting(pid: int | str) -> float:
    """Seconds that a process was ready to run so far, while the machine ran others."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@dataclass
class Noticed:
    """What the honest noticed."""

    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    waits: dict[str, list[float]] = field(default_factory=dict)
    """Without what the machine, being busy, kept us or those whom we asked waiting."""

    def note(self, what: str, wait: float, fault: str | None) -> None:
        self.calls[what] += 1
        if fault is not None:
            self.faults[f"{what}: {fault}"[:300]] += 1
        self.waits.setdefault(what, []).append(wait)

    @property
    def slow(self) -> dict[str, int]:
        """How many of each noticed something, where it is more than a machine's own pauses explain."""
        counts = {what: sum(wait > SLOW for wait in waits) for what, waits in self.waits.items()}
        return {what: count for what, count in counts.items() if count > PAUSES * len(self.waits[what]) + 1}

    def report(self) -> str:
        lines = [f"{dict(self.calls)}, faults: {dict(self.faults)}"]
        for what, waits in self.waits.items():
            ordered = sorted(waits)
            at = [ordered[int(len(ordered) * share)] for share in (0.5, 0.99, 0.999)]
            milliseconds = ", ".join(f"{wait * 1000:.0f}" for wait in (*at, ordered[-1]))
            lines.append(f"{what}: median, 99 %, 99.9 %, longest: {milliseconds} ms")
        return "\n".join(lines)


class Honest:
    """Callers who do nothing out of the ordinary."""

    def __init__(
        self, ports: Ports, tokens: list[str], http: aiohttp.ClientSession, *, asked: tuple[int, int]
    ) -> None:
        """asked: the processes of the gateway and authorization server, and of the local Google."""
        self._ostiary, self._google = asked
        self._ports = ports
        self._tokens = tokens
        self._http = http
        self._chance = random.Random(4711)
        self.noticed = Noticed()
        self.over = asyncio.Event()

    async def caller(self, token: str) -> None:
        while not self.over.is_set():
            await self._timed("call", self._ostiary, self._call(self._ports.gateway, token))
            await asyncio.sleep(self._chance.uniform(0.2, 0.6))

    async def service_caller(self) -> None:
        while not self.over.is_set():
            await self._timed("front end", self._google, self._call(self._ports.front_end, None))
            await asyncio.sleep(self._chance.uniform(0.2, 0.6))

    async def program(self) -> None:
        while not self.over.is_set():
            await self._timed("token", self._ostiary, self._token())
            await asyncio.sleep(
                self._chance.uniform(0.6, 1.2)
            )  # all of them are one client, which has a rate

    async def _timed(self, what: str, asked: int, deed: Any) -> None:
        began, busy = time.monotonic(), kept_waiting("self") + kept_waiting(asked)
        try:
            fault = await deed
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            fault = repr(error)
        busy = kept_waiting("self") + kept_waiting(asked) - busy
        self.noticed.note(what, max(0.0, time.monotonic() - began - busy), fault)

    async def _call(self, port: int, token: str | None) -> str | None:
        params = {"name": "honest_x", "arguments": {}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "honest_x",
        } | ({"authorization": f"Bearer {token}"} if token else {})  # fmt: skip
        async with self._http.post(f"http://127.0.0.1:{port}/mcp", json=message, headers=headers) as answered:
            text = await answered.text()
            return None if answered.status == 200 and '"result"' in text else f"{answered.status} {text}"

    async def _token(self) -> str | None:
        form = {"grant_type": "client_credentials"}
        url = f"http://127.0.0.1:{self._ports.authserver}/oauth/token"
        basic = base64.b64encode(f"ci:{SECRET}".encode()).decode()
        async with self._http.post(url, data=form, headers={"authorization": f"Basic {basic}"}) as answered:
            text = await answered.text()
            return None if answered.status == 200 else f"{answered.status} {text}"


async def signed(http: aiohttp.ClientSession, ports: Ports, email: str) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com", "aud": f"http://127.0.0.1:{ports.gateway}/mcp", "sub": email,
        "email": email, "email_verified": True, "iat": now, "exp": now + 3 * 3600,
    }  # fmt: skip
    async with http.post(
        f"http://127.0.0.1:{ports.google}/emulator/sign", json={"claims": claims}
    ) as answered:
        return str((await answered.json())["token"])


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="memory and waits are read from /proc: run it on Linux"
)
async def test_nobody_honest_notices_everybody_hostile(tmp_path: Path) -> None:
    ports = Ports()
    (tmp_path / "ci.secret").write_text(SECRET)
    async with contextlib.AsyncExitStack() as running:
        behind = await running.enter_async_context(
            listening(Starlette(), {b"POST": {b"/mcp": honest_server}})
        )
        (tmp_path / "ostiary.yaml").write_text(json.dumps(ostiary_file(ports, behind)))
        (tmp_path / "emulator.yaml").write_text(json.dumps(emulator_file(ports, behind)))
        emulator = await running.enter_async_context(
            program(
                "-m",
                "ostiary",
                "cloudrun",
                "emulate",
                "-c",
                "emulator.yaml",
                directory=tmp_path,
                ready=b"http",
            )
        )
        ostiary = await running.enter_async_context(
            program("-m", "ostiary", "up", directory=tmp_path, ready=b"The gateway answers at ")
        )
        http = await running.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
                timeout=aiohttp.ClientTimeout(total=30),
            )
        )
        tokens = [await signed(http, ports, f"honest-{number}@example.com") for number in range(HONEST)]
        honest = Honest(ports, tokens, http, asked=(ostiary.pid, emulator.pid))
        callers = [
            asyncio.ensure_future(deed)
            for deed in (
                *(honest.caller(token) for token in tokens),
                *(honest.service_caller() for _ in range(5)),
                *(honest.program() for _ in range(5)),
            )
        ]
        await asyncio.sleep(2)
        before = {"gateway and authserver": resident(ostiary), "local Google": resident(emulator)}
        most = dict(before)
        aim = {
            "gateway": ports.gateway,
            "authserver": ports.authserver,
            "server_port": ports.hostile,
            "token": await signed(http, ports, "hostile@example.com"),
            "listeners": [
                (ports.gateway, "/mcp", 4_000_000),
                (ports.authserver, "/oauth/token", 60_000),
                (ports.google, "/emulator/sign", 4_000_000),
                (ports.front_end, "/mcp", 4_000_000),
            ],
        }
        async with hostile(aim, tmp_path) as hostility:
            programs = {"gateway and authserver": ostiary, "local Google": emulator, "hostility": hostility}
            began = {name: worked(process) for name, process in programs.items()}
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                await asyncio.sleep(0.1)
                assert hostility.returncode is None, "who is hostile gave up"
                for name, process in (("gateway and authserver", ostiary), ("local Google", emulator)):
                    most[name] = max(most[name], resident(process))
            busy = {name: worked(process) - began[name] for name, process in programs.items()}
        after = dict(most)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MEMORY_IS_BACK_WITHIN):
                while any(after[name] - before[name] > BACK for name in before):
                    await asyncio.sleep(1)
                    after = {"gateway and authserver": resident(ostiary), "local Google": resident(emulator)}
        honest.over.set()
        await asyncio.gather(*callers)
    told = "\n".join(
        [
            honest.noticed.report(),
            *(
                f"{name}, MiB: {before[name] >> 20}, at most {most[name] >> 20}, then {after[name] >> 20}"
                for name in before
            ),
            *(f"{name}: {100 * used / SECONDS:.0f} % of a processor" for name, used in busy.items()),
        ]
    )
    (tmp_path / "told.txt").write_text(told)
    assert not honest.noticed.faults, told
    assert not honest.noticed.slow, told
    assert all(most[name] < MOST_HELD for name in most), told
    assert all(after[name] - before[name] <= BACK for name in before), told


@contextlib.asynccontextmanager
async def hostile(aim: dict[str, Any], directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with (directory / "hostility.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HOSTILITY),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(aim).encode() + b"\n")
        try:
            assert await process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.stdin.close()
            async with asyncio.timeout(20):
                await process.wait()
