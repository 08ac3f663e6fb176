"""Virtual environments with real clients, made once and kept beside the main one by what is in them.

Two are enough: most clients stand on `mcp` 2, and those that need an older one have their own. In both is
ostiary as it is being worked on, with whatever versions of its dependencies the clients bring.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers.unavailable import takes_time, unavailable

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".venv" / "peers"
INSTALL_TIMEOUT = 900
"""Seconds for a first installation over a slow line."""


@dataclass(frozen=True)
class Requirements:
    """What pip installs beside ostiary; `pinned` after it, without its dependencies.

    FastMCP asks for a newer certifi than it needs, which not every mirror of PyPI has.
    """

    packages: tuple[str, ...]
    pinned: tuple[str, ...] = ()


VENVS: Mapping[str, Requirements] = {
    "mcp2": Requirements(
        (
            "fastmcp>=4,<4.1.6",
            "google-adk==2.13.0",
            "mcp==2.3.0",
            "openai-agents==0.24.0",
            "pydantic-ai-slim[mcp]==2.68.0",
        ),
        pinned=("fastmcp==4.1.6", "fastmcp-slim==4.1.6"),
    ),
    "mcp1": Requirements(("langchain-mcp-adapters==0.3.2", "mcp==1.30.0")),
}


def venv_python(name: str) -> str:
    """The interpreter of an environment, which is made when it is not there. In CI a failure is one."""
    takes_time(f"clients of {name}")
    wanted = VENVS[name]
    directory = CACHE / f"{name}-{_key(wanted)}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _make(directory, wanted)
            (directory / "installed").touch()
    return str(directory / "bin" / "python")


def _key(wanted: Requirements) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    everything = repr((wanted, project["dependencies"], sys.version_info[:2], str(ROOT)))
    return hashlib.sha256(everything.encode()).hexdigest()[:12]


def _make(directory: Path, wanted: Requirements) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(directory))
    pip = (str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet")
    _run(*pip, "--upgrade", "pip")
    _run(*pip, "--editable", str(ROOT), *wanted.packages)
    if wanted.pinned:
        _run(*pip, "--no-deps", *wanted.pinned)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)
    if done.returncode != 0:
        why = f"{' '.join(command)}: {done.stderr.strip()[-500:]}"
        unavailable(f"the clients cannot be installed (is there a line to PyPI?): {why}")
