"""The programs that are compared, each started on one core and stopped again."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
UPSTREAM_CORE, GATEWAY_CORE = 0, 1
CACHE = HERE.parent / ".venv" / "benchmarks"
START_SECONDS = 30


class ToolMissing(Exception):
    """A program that the benchmarks need is not installed."""


def require(*programs: str) -> None:
    """Raise ToolMissing unless all are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ToolMissing(
            f"the benchmarks need {', '.join(missing)}: install the Debian packages wrk, nginx-light and gcc"
        )


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
def upstream(work: float) -> Iterator[str]:
    """The fast MCP server; work: microseconds that each answer takes. Gives its URL."""
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / "fast_upstream"
    subprocess.run(
        ["gcc", "-O2", "-D_GNU_SOURCE", "-w", "-o", str(binary), str(HERE / "fast_upstream.c")], check=True
    )
    port = free_port()
    with running([str(binary), str(port), str(work)], port, core=UPSTREAM_CORE):
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def nginx(target: str) -> Iterator[str]:
    """nginx as a plain reverse proxy with kept connections, setting one header."""
    port = free_port()
    folder = CACHE / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    template = Template((HERE / "nginx.conf").read_text())
    host = target.removeprefix("http://").removesuffix("/mcp")
    configuration.write_text(template.substitute(port=port, upstream=host, folder=folder))
    with running(["nginx", "-p", str(folder), "-c", str(configuration)], port, core=GATEWAY_CORE):
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def ostiary(target: str, key_set: str) -> Iterator[str]:
    """Our gateway: it verifies the caller's token, takes the prefix off, and sends its own credential."""
    port = free_port()
    configuration = CACHE / "ostiary.yaml"
    template = Template((HERE / "ostiary.yaml").read_text())
    configuration.write_text(template.substitute(port=port, upstream=target, key_set=key_set))
    command = [sys.executable, "-m", "ostiary", "up", "-c", str(configuration)]
    with running(command, port, core=GATEWAY_CORE, environment={"UPSTREAM_TOKEN": "secret-of-the-upstream"}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def fastmcp(target: str) -> Iterator[str]:
    """FastMCP's `create_proxy(url)`, as its documentation has it, in an environment of its own."""
    port = free_port()
    command = [str(fastmcp_python()), str(HERE / "fastmcp_proxy.py"), target, str(port)]
    with running(command, port, core=GATEWAY_CORE):
        yield f"http://127.0.0.1:{port}/mcp"


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
