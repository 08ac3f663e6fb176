"""The programs that are compared, each started on one core and stopped again."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
UPSTREAM_CORE, GATEWAY_CORE = 0, 1
CACHE = HERE.parent / ".venv" / "benchmarks"
START_SECONDS = 60


class ToolMissing(Exception):
    """A program that the benchmarks need is not installed."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    url: str
    process_id: int


def require(*programs: str) -> None:
    """Raise ToolMissing unless all are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = "wrk, nginx-light, gcc and valgrind"
        raise ToolMissing(f"the benchmarks need {', '.join(missing)}: install the Debian packages {packages}")


def processor_seconds(process_id: int) -> float:
    """What a process and its threads have used so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, *, core: int, environment: dict[str, str] | None = None
) -> Iterator[int]:
    """Run a server on one core until the block ends; gives its process id once it listens."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextlib.contextmanager
def upstream(work: float, era: str = "modern") -> Iterator[str]:
    """The fast MCP server of this era; work: microseconds that each answer takes. Gives its URL."""
    port = free_port()
    command = [_fast_upstream(), str(port), str(work), era]
    with running(command, port, core=UPSTREAM_CORE):
        yield f"http://127.0.0.1:{port}/mcp"


def program(era: str) -> list[str]:
    """The command of the fast MCP server over stdio. It leaves the core of whoever starts it alone."""
    return ["taskset", "-c", str(UPSTREAM_CORE), _fast_upstream(), "stdio", "0", era]


@functools.cache
def _fast_upstream() -> str:
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = str(CACHE / "fast_upstream")
    source = str(HERE / "fast_upstream.c")
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-w", "-o", binary, source], check=True)
    return binary


@contextlib.contextmanager
def nginx(target: str, *, under: Sequence[str] = ()) -> Iterator[Served]:
    """nginx as a plain reverse proxy with kept connections, setting one header.

    under: what runs it, and then all of it in one process.
    """
    port = free_port()
    host = target.removeprefix("http://").removesuffix("/mcp")
    with tempfile.TemporaryDirectory() as folder:
        written = filled("nginx.conf", Path(folder), port=port, upstream=host, folder=folder)
        command = [*under, "nginx", "-p", folder, "-c", str(written)]
        if under:
            command += ["-g", "master_process off;"]
        with running(command, port, core=GATEWAY_CORE) as process_id:
            yield Served(f"http://127.0.0.1:{port}/mcp", process_id)


@contextlib.contextmanager
def ostiary(target: str | list[str], key_set: str, *, under: Sequence[str] = ()) -> Iterator[Served]:
    """Our gateway: it verifies the caller's token, takes the prefix off, and sends its own credential.

    target: the server's URL, or the command of a program, which wants no credential; under: what runs it.
    """
    port = free_port()
    credential = {"type": "bearer", "token": {"env": "UPSTREAM_TOKEN"}}
    server = {"url": target, "credential": credential} if isinstance(target, str) else {"command": target}
    with tempfile.TemporaryDirectory() as folder:
        filling = {"port": port, "server": json.dumps(server), "key_set": key_set}
        written = filled("ostiary.yaml", Path(folder), **filling)
        command = [*under, sys.executable, "-m", "ostiary", "up", "-c", str(written)]
        secrets = {"UPSTREAM_TOKEN": "secret-of-the-upstream"}
        with running(command, port, core=GATEWAY_CORE, environment=secrets) as process_id:
            yield Served(f"http://127.0.0.1:{port}/mcp", process_id)


@contextlib.contextmanager
def fastmcp(target: str | list[str]) -> Iterator[Served]:
    """FastMCP's `create_proxy`, as its documentation has it, in an environment of its own."""
    port = free_port()
    words = [target] if isinstance(target, str) else target
    command = [str(fastmcp_python()), str(HERE / "fastmcp_proxy.py"), str(port), *words]
    with running(command, port, core=GATEWAY_CORE) as process_id:
        yield Served(f"http://127.0.0.1:{port}/mcp", process_id)


def filled(template: str, folder: Path, /, **filling: object) -> Path:
    """A file of ours with what it leaves open, written to this folder."""
    written = folder / template
    written.write_text(Template((HERE / template).read_text()).substitute(filling))
    return written


def fastmcp_python() -> Path:
    """Its dependencies are those of the newest release that resolves; its code is the newest there is."""
    folder = CACHE / "fastmcp"
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "fastmcp"], check=True)
        subprocess.run([*install, "--no-deps", "fastmcp==4.1.6", "fastmcp-slim==4.1.6"], check=True)
        done.touch()
    return python


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended at once with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not listen on port {port} within {START_SECONDS} s")
