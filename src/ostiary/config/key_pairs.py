"""Does each certificate that the file names have its key, and are both of use?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.certificates.error import CertificateUnusable
from ostiary.config.leaves import leaves

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded, M
    from ostiary.settings import Place


def unusable_pairs(loaded: Loaded[M]) -> Iterator[FileFault]:
    """A fault for each certificate that could not be shown."""
    certificates: dict[Place, Path] = {}
    for (*above, name), value in leaves(loaded.settings):
        place = tuple(above)
        if name == "certificate" and isinstance(value, Path):
            certificates[place] = value
        elif name == "private_key" and isinstance(value, Path) and place in certificates:
            from ostiary.certificates.material import read_key_pair  # noqa: PLC0415 - few files name one

            try:
                read_key_pair(certificates[place], value)
            except CertificateUnusable as unusable:
                yield loaded.fault(place, str(unusable))
