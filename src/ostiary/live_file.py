"""What files say, read again when they change. Files that are broken leave what was.

A file is another one by its times, size or inode, since it may be swapped, written in place, or let be read;
a folder, when any file in it is.
Looking takes microseconds, so it happens where the value is needed, and nothing runs beside.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from ostiary.event_log import event_log
from ostiary.operator_error import OperatorError

log = event_log("ostiary.files")

Value = TypeVar("Value")


class LiveFile(Generic[Value]):
    """A value out of one file or folder, or of several that go together."""

    def __init__(self, files: Iterable[Path], read: Callable[[], Value]) -> None:
        """read: what makes the value; it raises OperatorError, now and never later."""
        self._files = tuple(files)
        self._read = read
        self._state = self._look()
        self._value = read()

    def current(self) -> Value:
        """The value of the files as they are; the same object until they change."""
        state = self._look()
        if state != self._state:
            self._state = (
                state  # looked at before it is read: whatever is written meanwhile is seen next time
            )
            self._renew()
        return self._value

    def reread(self) -> Value:
        """The value of the files, read whether they have changed or not."""
        self._state = self._look()
        self._renew()
        return self._value

    def _renew(self) -> None:
        named = ", ".join(map(str, self._files))
        try:
            self._value = self._read()
        except OperatorError as error:
            log.error("file_not_reread", file=named, reason=str(error))  # noqa: TRY400 - its trace says nothing more
        else:
            log.info("file_reread", file=named)

    def _look(self) -> Hashable:
        return tuple(map(file_state, self._files))


def file_state(path: Path) -> Hashable:
    """What tells a file, or a folder with its files, from another one."""
    try:
        found = path.stat()
        inside = sorted(path.iterdir()) if stat.S_ISDIR(found.st_mode) else ()
    except OSError as error:
        return error.errno
    return _marks(found), *((file.name, _state_of_file(file)) for file in inside)


def _state_of_file(file: Path) -> Hashable:
    try:
        return _marks(file.stat())
    except OSError as error:
        return error.errno


def _marks(found: os.stat_result) -> Hashable:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
