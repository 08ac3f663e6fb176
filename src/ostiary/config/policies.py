"""Are the policies in order, by which callers may do what? They are read as the gateway reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.config.faults import FileFault

if TYPE_CHECKING:
    from ostiary.config.file import OstiaryFile
    from ostiary.config.load import Loaded


def unusable_policies(loaded: Loaded[OstiaryFile]) -> Iterator[FileFault]:
    """A fault for whatever is wrong with them, where it stands. A missing folder is told elsewhere."""
    gateway = loaded.settings.gateway
    if gateway is None or gateway.policy is None or not gateway.policy.path.is_dir():
        return
    from ostiary.gateway.policy.faults import PoliciesUnusable  # noqa: PLC0415 - most files name none
    from ostiary.gateway.policy.loading import read_folder, read_policies  # noqa: PLC0415 - likewise

    try:
        read_policies(read_folder(gateway.policy.path))
    except PoliciesUnusable as unusable:
        yield from (FileFault(Path(fault.file), fault.line, fault.what) for fault in unusable.faults)
