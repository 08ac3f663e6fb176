"""What was freed is given back to the system.

glibc keeps freed memory for the next time, in pieces between what is in use: a process that was made to hold
100 MiB for a second would have them for ever. Other C libraries give it back by themselves.
"""

from __future__ import annotations

import asyncio
import ctypes
from functools import cache

EVERY = 15.0
"""Seconds between looks."""
SPARE = 24 * 1024 * 1024
"""Bytes that are kept for the next time."""


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of malloc.h; `fordblks` are the free bytes."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _Mallinfo2
        library.malloc_trim.argtypes = [ctypes.c_size_t]
    except (AttributeError, OSError, TypeError):
        return None
    return library


def give_back() -> bool:
    """Give back what is more than is kept. Whether there was any; never, where it is no matter of ours."""
    library = _glibc()
    if library is None or library.mallinfo2().fordblks < SPARE:
        return False
    return bool(library.malloc_trim(0))


async def keep_giving_back() -> None:
    """Look now and then, until cancelled. The call lets go of Python's lock, so it waits in a thread."""
    while _glibc() is not None:
        await asyncio.sleep(EVERY)
        await asyncio.to_thread(give_back)
