"""Do the files that name authorities have any? A key, or an empty mount, is there and of no use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.config.leaves import leaves
from ostiary.transport.reach import Reach
from ostiary.transport.trust import TrustUnusable

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.load import Loaded, M


def without_authorities(loaded: Loaded[M]) -> Iterator[FileFault]:
    """A fault for each file of authorities that is there and cannot be used."""
    for place, value in leaves(loaded.settings):
        if isinstance(value, Path) and str(place[-1]).endswith("ca_file") and value.is_file():
            try:
                _ = Reach(value).trust.context
            except TrustUnusable as unusable:
                yield loaded.fault(place, str(unusable).removeprefix("ca_"))
