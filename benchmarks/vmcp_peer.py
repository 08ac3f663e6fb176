"""ToolHive's vMCP, built from the sources that Go's module proxy has."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers

VMCP = "ToolHive vMCP 0.47"
_MODULE = "github.com/stacklok/toolhive/cmd/vmcp@v0.47.0"


class VmcpUnavailable(Exception):
    """It cannot be built here."""


@contextlib.contextmanager
def vmcp(target: str, key_set: str) -> Iterator[peers.Served]:
    """It checks and sends what ours does. Raises VmcpUnavailable."""
    port, binary = peers.free_port(), _built()
    with tempfile.TemporaryDirectory() as folder:
        written = peers.filled("vmcp.yaml", Path(folder), upstream=target, key_set=key_set)
        command = [str(binary), "serve", "--config", str(written), "--port", str(port)]
        with peers.running(command, port, core=peers.GATEWAY_CORE) as process_id:
            yield peers.Served(f"http://127.0.0.1:{port}/mcp", process_id)


def _built() -> Path:
    folder = peers.CACHE / _MODULE.rpartition("/")[2]
    binary = folder / "vmcp"
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        raise VmcpUnavailable("there is no Go")
    command = ["go", "install", "-trimpath", _MODULE]
    environment = {**os.environ, "GOBIN": str(folder)}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        raise VmcpUnavailable(built.stderr.strip().rpartition("\n")[2])
    return binary
