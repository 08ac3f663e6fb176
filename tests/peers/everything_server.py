"""The official SDK's own server for the conformance suite, which is in its source archive alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.peers.mcp_clients.client import free_port
from tests.peers.npm import CACHE, INSTALL_TIMEOUT
from tests.peers.process import serving_program
from tests.peers.unavailable import takes_time, unavailable

VERSION = "2.3.0"
PINNED = f"mcp=={VERSION} --hash=sha256:8b147a50441cf059dc88c684e0aeed3687f0aa0f39c6cde7b90330effd2b34d8\n"
PLACE = f"mcp-{VERSION}/examples/servers/everything-server"


def installed_everything_server() -> Path:
    """The folder in which it is, fetched once. Without a line to PyPI, skip; in CI, fail."""
    takes_time("the SDK's everything-server")
    directory = CACHE / f"everything-server-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "everything-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _install(directory)
            (directory / "installed").touch()
    return directory


@asynccontextmanager
async def running_everything_server() -> AsyncIterator[str]:
    """Run it; the URL of its MCP endpoint."""
    port = free_port()
    async with serving_program(
        *(sys.executable, "-m", "mcp_everything_server", "--port", str(port)),
        ready="Uvicorn running",
        within=30,
        environment=os.environ,
        directory=installed_everything_server(),
    ):
        yield f"http://127.0.0.1:{port}/mcp"


def _install(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(PINNED)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=mcp"),
                *("--require-hashes", "--requirement", str(requirements), "--dest", folder),
            ],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            unavailable(f"pip cannot fetch the source of mcp {VERSION}: {done.stderr.strip()[-500:]}")
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        Path(folder, PLACE).rename(directory)
