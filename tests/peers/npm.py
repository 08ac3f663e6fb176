"""Programs from npm that tests talk to: installed once, and kept by their versions."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers.unavailable import takes_time, unavailable

NODE = "node@22.23.3"
CACHE = Path(__file__).resolve().parents[2] / ".venv" / "peers"
INSTALL_TIMEOUT = 300
"""Seconds for a first installation over a slow line."""


@dataclass(frozen=True)
class NpmPeer:
    """An installed set of packages, with a Node of its own."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are run with: its own Node first."""
        modules = self.directory / "node_modules"
        path = f"{modules}/node/bin{os.pathsep}{modules}/.bin{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "NO_COLOR": "1"}

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.directory / "node_modules" / ".bin" / name)


def npm_peer(name: str, *packages: str) -> NpmPeer:
    """Install packages (`name@version`), unless they are there. Without npm, skip; in CI, fail."""
    takes_time(name)
    versions = "+".join(package.rpartition("@")[2] for package in packages)
    directory = CACHE / f"{name}-{versions}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _install(directory, packages)
            (directory / "installed").touch()
    return NpmPeer(directory)


def _install(directory: Path, packages: tuple[str, ...]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed: install Node.js to run this test")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "package.json").write_text('{"private": true}\n')
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", NODE, *packages],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        unavailable(f"npm cannot install {' '.join(packages)}: {done.stderr.strip()[-500:]}")
