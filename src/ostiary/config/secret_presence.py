"""Are the secrets and files that a configuration names there? Says the place, never the value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.certificates.settings import CaDirectory
from ostiary.config.leaves import leaves
from ostiary.secrets import Secret, SecretUnavailable
from ostiary.settings import Folder

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded, M


def absent(loaded: Loaded[M]) -> Iterator[FileFault]:
    """A fault for each secret and each file that is not where the configuration says."""
    for place, value in leaves(loaded.settings):
        if isinstance(value, Secret):
            try:
                value.reveal()
            except SecretUnavailable as unavailable:
                yield loaded.fault(place, str(unavailable))
        elif isinstance(value, CaDirectory):
            for file in (value.certificate, value.private_key):
                if not file.is_file():
                    yield loaded.fault(
                        place, f"file {file} is not there; `ostiary pki init {value}` makes an authority"
                    )
        elif isinstance(value, Folder) and not value.path.is_dir():
            yield loaded.fault(place, f"there is no folder {value}")
        elif isinstance(value, Path) and not value.is_file():
            yield loaded.fault(place, f"file {value} is not there")
