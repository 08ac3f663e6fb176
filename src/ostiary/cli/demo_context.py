"""How other commands find the running demo: a file in the user's state directory.

It says which credential opens which URL. Only its user can read it, the demo takes it away when it stops,
and one that a dead process left behind counts for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ostiary.credentials.vault.state_directory import state_directory

_CONTEXT = "context.json"
_PREFIX = "demo-"


@contextlib.contextmanager
def demo_directory() -> Iterator[Path]:
    """A directory for this process's demo, readable by its user alone, gone when the block ends."""
    _sweep()
    directory = state_directory() / f"{_PREFIX}{os.getpid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def leave_context(directory: Path, credentials: Mapping[str, Mapping[str, Any]]) -> None:
    """Write which credential opens which URL."""
    descriptor = os.open(directory / _CONTEXT, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump({"credentials": credentials}, stream)


def demo_credential(url: str) -> dict[str, Any] | None:
    """The configuration of the credential that a running demo left for this URL; None without one."""
    for directory in _demos():
        try:
            return dict(json.loads((directory / _CONTEXT).read_text("utf-8"))["credentials"][url])
        except (OSError, ValueError, LookupError, TypeError):
            continue  # half-written, or for other URLs
    return None


def _demos() -> Iterator[Path]:
    for directory in sorted(state_directory().glob(f"{_PREFIX}*")):
        if directory.stat().st_uid == os.getuid() and _runs(directory.name.removeprefix(_PREFIX)):
            yield directory


def _sweep() -> None:
    for directory in state_directory().glob(f"{_PREFIX}*"):
        if not _runs(directory.name.removeprefix(_PREFIX)):
            shutil.rmtree(directory, ignore_errors=True)


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
