"""Who else on this machine may read, or replace, the secret files that a configuration names?

Looked at are files of secrets, the encryption key's, and whatever holds a private key. Readable by others is
for people to judge: Kubernetes mounts secrets so, where nobody else is. Writable by all is never meant.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.certificates.settings import CaDirectory
from ostiary.config.leaves import leaves
from ostiary.secrets import Secret
from ostiary.storage.config import KeyFile

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded, M

PRIVATE_KEY = b"PRIVATE KEY-----"
"""In each private key in PEM, also inside the JSON of a Google service account."""
LOOKED_AT = 64 * 1024


def writable(loaded: Loaded[M]) -> Iterator[FileFault]:
    """A fault for each secret file that everybody on this machine may replace."""
    for place, file, mode in _secret_files(loaded):
        if mode.st_mode & stat.S_IWOTH:
            yield loaded.fault(
                place, f"everybody on this machine may write file {file}; run: chmod go-rwx {file}"
            )


def readable(loaded: Loaded[M]) -> Iterator[FileFault]:
    """What to tell of each secret file that others may read."""
    for place, file, mode in _secret_files(loaded):
        who = who_else_reads(mode.st_mode, ours=mode.st_uid == os.geteuid())
        if who is not None:
            yield loaded.fault(place, f"{who} may read file {file}; run: chmod go-rwx {file}")


def who_else_reads(mode: int, *, ours: bool) -> str | None:
    """In words; None for nobody. A group's file that is another's is how that one lets us read it."""
    if mode & stat.S_IROTH:
        return "everybody on this machine"
    return "its group" if ours and mode & stat.S_IRGRP else None


def _secret_files(loaded: Loaded[M]) -> Iterator[tuple[tuple[str | int, ...], Path, os.stat_result]]:
    for place, value in leaves(loaded.settings):
        file = _secret_file(value)
        if file is not None:
            try:
                yield place, file, file.stat()
            except (OSError, ValueError):
                continue  # that it is not there, or can't be called so, is told elsewhere, if it has to be


def _secret_file(value: Any) -> Path | None:
    match value:
        case Secret():
            return value.file
        case KeyFile():
            return value.path
        case CaDirectory():
            return value.private_key
        case Path():
            return value if _holds_a_private_key(value) else None
    return None


def _holds_a_private_key(file: Path) -> bool:
    """A pipe is not looked at: whoever reads it takes what is in it, and may wait for ever."""
    try:
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            return PRIVATE_KEY in stream.read(LOOKED_AT)
    except OSError:
        return False
