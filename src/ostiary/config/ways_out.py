"""Can the proxy be used by which requests leave? Nothing would notice before the first of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostiary.transport.proxies import proxies_of

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.file import OstiaryFile
    from ostiary.config.load import Loaded


def unusable_proxies(loaded: Loaded[OstiaryFile]) -> Iterator[FileFault]:
    """What to tell of each proxy that is named, here or in the environment, and is none."""
    for sentence in proxies_of(loaded.settings.proxy, os.environ).unusable():
        yield loaded.fault(("proxy",), sentence)
