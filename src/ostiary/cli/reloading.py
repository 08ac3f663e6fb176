"""`ostiary up` reads its file again: on SIGHUP, and when it has changed. A file at fault changes nothing.

A file is looked at every second, and read when it has stood still between two looks: whoever writes it may be
in the middle. What cannot be taken over is named, and stays as it was until a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.live_file import file_state
from ostiary.operator_error import OperatorError

if TYPE_CHECKING:
    from ostiary.config import OstiaryFile
    from ostiary.gateway import Gateway

log = event_log("ostiary.configuration")

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Given:
    """A file as it was read. state: what told it from others just before."""

    path: Path
    state: Hashable
    file: OstiaryFile


class FileWatch:
    """Whether a file is another one than it was."""

    def __init__(self, path: Path, state: Hashable) -> None:
        """state: of the file that was read."""
        self._path = path
        self._read = self._seen = state

    def look(self) -> bool:
        """Whether it is, and has been since the last look."""
        before, self._seen = self._seen, file_state(self._path)
        return self._seen == before != self._read

    def is_read(self) -> None:
        """What it is now is known, even if nothing can be made of it."""
        self._read = self._seen = file_state(self._path)


class Reloading:
    """One file, and what runs by it. read: reads the file; it raises OperatorError."""

    def __init__(self, given: Given, read: Callable[[], Given], gateway: Gateway | None) -> None:
        self.watch = FileWatch(given.path, given.state)
        self._path = str(given.path)
        self._running = given.file
        self._read = read
        self._gateway = gateway

    async def reload(self) -> None:
        """Take over what the file says now, and say what became of it. Raises nothing."""
        self.watch.is_read()
        try:
            wanted = await asyncio.to_thread(self._read)
            stay = self._take_over(wanted.file)
        except OperatorError as error:
            log.error("configuration_refused", file=self._path, faults=str(error).splitlines())  # noqa: TRY400 - its trace says nothing more
        except Exception as error:  # noqa: BLE001 - a fault of ours, at which what runs goes on
            log.error("configuration_refused", file=self._path, exception=crash_text(error))  # noqa: TRY400 - its text
        else:
            if stay:
                log.warning("restart_wanted", file=self._path, settings=stay)

    def _take_over(self, wanted: OstiaryFile) -> list[str]:
        """The names of what stays as it was. Raises OperatorError."""
        running = self._running
        names = [name for name in type(wanted).model_fields if name != "gateway"]
        stay = [name for name in names if getattr(running, name) != getattr(wanted, name)]
        if self._gateway is not None and wanted.gateway is not None:
            stay += self._gateway.reload(wanted.gateway)
        elif running.gateway != wanted.gateway:
            stay.append("gateway")
        return stay


async def keep_reloading(given: Given, read: Callable[[], Given], gateway: Gateway | None) -> None:
    """Until whoever waits is cancelled. Arguments: as of Reloading."""
    reloading = Reloading(given, read, gateway)
    has_terminal = any(os.isatty(number) for number in (0, 1, 2))
    with _hangups() as hangup:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await hangup.wait()
            if hangup.is_set():
                if has_terminal and _terminal_is_gone():
                    return
                hangup.clear()
                await reloading.reload()
            elif reloading.watch.look():
                await reloading.reload()


@contextlib.contextmanager
def _hangups() -> Iterator[asyncio.Event]:
    """Set at each SIGHUP, where there is such a thing."""
    hangup = asyncio.Event()
    loop = asyncio.get_running_loop()
    if not hasattr(signal, "SIGHUP"):
        yield hangup
        return
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    try:
        yield hangup
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _terminal_is_gone() -> bool:
    """Whether the terminal was closed from which we were started: that is a hang-up, too."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return True
    return False
