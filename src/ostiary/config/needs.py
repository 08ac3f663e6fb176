"""What `up` needs besides the file: packages that are extras, an agent, and folders to make files in.

Nothing is made here, so that what is said of a folder is what its permissions say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.certificates.settings import AgentSocket
from ostiary.config.leaves import leaves
from ostiary.storage.config import KeyFile, StorageSettings
from ostiary.telemetry.config import AccessLogTarget, AuditFile

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded, M
    from ostiary.settings import Place

STORE = ("storage", "url")


def unmet(loaded: Loaded[M]) -> Iterator[FileFault]:
    """A fault for each need that `up` would stumble over."""
    storage = getattr(loaded.settings, "storage", None)
    if isinstance(storage, StorageSettings):
        if storage.file is not None:
            yield from _made(loaded, STORE, storage.file)
        elif find_spec("asyncpg") is None:
            yield loaded.fault(
                STORE, "PostgreSQL needs a package that is not there: pip install 'ostiary[postgresql]'"
            )
    for place, value in leaves(loaded.settings):
        if isinstance(value, AccessLogTarget) and value.path is not None:
            yield from _made(loaded, place, value.path)
        if place[-1] == "source" and value == "spiffe" and find_spec("spiffe") is None:
            yield loaded.fault(
                place, "SPIFFE needs a package that is not there: pip install 'ostiary[spiffe]'"
            )
        elif isinstance(value, AgentSocket) and not value.is_there:
            yield loaded.fault(
                place, f"socket {value.path} is not there: see whether the agent runs on this machine"
            )
        elif isinstance(value, KeyFile | AuditFile):
            yield from _made(loaded, place, value.path, only_read=isinstance(value, KeyFile))


def _made(loaded: Loaded[M], place: Place, file: Path, *, only_read: bool = False) -> Iterator[FileFault]:
    """The file that is there has to be of use; for one that is not, its folder."""
    if file.exists():
        needed = os.R_OK if only_read else os.R_OK | os.W_OK
        if not file.is_file() or not os.access(file, needed):
            yield loaded.fault(place, f"file {file} cannot be {'read' if only_read else 'written'}")
    elif not file.parent.is_dir():
        yield loaded.fault(place, f"folder {file.parent} is not there: {file.name} cannot be made in it")
    elif not os.access(file.parent, os.W_OK | os.X_OK):
        yield loaded.fault(place, f"folder {file.parent} cannot be written: {file.name} cannot be made in it")
