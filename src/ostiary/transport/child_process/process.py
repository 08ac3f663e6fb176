"""One child process: lines in and out, until it ends or is stopped.

It leads a process group of its own, which is ended with it. What it writes is read in turns with all else
that the event loop has to do, and meanwhile it waits at a full pipe. Its standard error is always read, so
that it never waits for a log.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Protocol, cast

from ostiary.transport.child_process.command import Prepared
from ostiary.transport.child_process.lines import LineReader, LineTooLong
from ostiary.transport.child_process.standard_error import StandardError
from ostiary.transport.upstream.held import LARGE, HeldAnswers, Room
from ostiary.transport.upstream.loop_share import LoopShare

READ_AT_ONCE = 8 * 1024
FAREWELL_SECONDS = 0.5
"""Between the end of its standard input, at which a proper server ends, and SIGTERM."""
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL."""
ERROR_BYTES = 1024 * 1024
"""How much of its standard error is read in a row; then it waits for a second."""
STDIN, STDOUT, STDERR = 0, 1, 2


class Hearer(Protocol):
    """Who is told what a child says."""

    def heard(self, line: bytes, room: Room | None) -> None:
        """A line of its standard output, and the room that it was given if it is large."""

    def said(self, text: str) -> None:
        """A line of its standard error, fit for a log."""

    def ended(self, why: str) -> None:
        """It is gone, and its group with it. Nothing comes after this."""


class ChildProcess(asyncio.SubprocessProtocol):
    """Made by `Children`."""

    def __init__(
        self, prepared: Prepared, hearer: Hearer, *, most_bytes: int, held: HeldAnswers, loop_share: LoopShare
    ) -> None:
        """most_bytes: of a line; held: where large ones get room."""
        self._loop = asyncio.get_running_loop()
        self.hearer = hearer
        """Who hears it: another when it becomes another's."""
        self._lines = LineReader(most_bytes)
        self._most_bytes = most_bytes
        self._held = held
        self._room: Room | None = None
        self._loop_share = loop_share
        self._error = StandardError(self._said, prepared.hidden, self._loop.time)
        self._error_bytes = 0
        self._rest: memoryview | None = None
        self._awaits_room = False
        self._why = ""
        self._timers: list[asyncio.TimerHandle] = []
        self._open = {STDOUT, STDERR}
        self._has_exited = False
        self._transport: asyncio.SubprocessTransport
        self.group = 0
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done after `Hearer.ended`."""

    # asked by its owner

    def send(self, line: bytes) -> None:
        """Write a line; `line` has no break in it. What it does not read waits here: see `unsent`."""
        pipe = self._stdin
        if not pipe.is_closing():
            pipe.write(line + b"\n")

    @property
    def unsent(self) -> int:
        """How many bytes wait for it to read, besides those in its pipe."""
        return self._stdin.get_write_buffer_size()

    @property
    def is_usable(self) -> bool:
        """Whether it may be sent something: it has not ended, and nobody stopped it."""
        return not (self._why or self._has_exited or self._stdin.is_closing())

    def stop(self, why: str) -> None:
        """Have it end: by the end of its input, then by SIGTERM, then by SIGKILL. Nothing of it is heard."""
        if self._begin_to_end(why):
            if not self._stdin.is_closing():  # it may have closed that itself
                self._stdin.abort()
            self._later(FAREWELL_SECONDS, signal.SIGTERM)
            self._later(FAREWELL_SECONDS + GRACE_SECONDS, signal.SIGKILL)

    def kill(self, why: str) -> None:
        """End it now, for what it does."""
        if self._begin_to_end(why):
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of it, whoever still holds its pipes. For one that has exited, or never will."""
        self._transport.close()
        self._finish()

    # told by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.group = self._transport.get_pid() or 0

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        piece = cast("bytes", data)
        if fd == STDERR:
            self._read_error(piece)
        elif not self._why:
            self._rest = memoryview(piece if self._rest is None else bytes(self._rest) + piece)
            self._set_reading()
            self._loop_share.wait(self._go_on)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if fd != STDERR and not self._has_exited:
            closed = "input" if fd == STDIN else "output"
            self._timers.append(
                self._loop.call_later(GRACE_SECONDS, self.stop, f"it closed its standard {closed}")
            )
        self._finish_if_done()

    def process_exited(self) -> None:
        self._has_exited = True
        with suppress(OSError):
            os.killpg(self.group, signal.SIGKILL)  # what it started and left behind
        self._timers.append(self._loop.call_later(GRACE_SECONDS, self.close))
        self._set_reading()
        self._finish_if_done()

    # inside

    @property
    def _stdin(self) -> asyncio.WriteTransport:
        return cast("asyncio.WriteTransport", self._transport.get_pipe_transport(STDIN))

    def _begin_to_end(self, why: str) -> bool:
        if self._why or self.gone.done():
            return False
        self._why, self._rest, self._room = why, None, None
        self._set_reading()
        return True

    def _later(self, seconds: float, number: signal.Signals) -> None:
        self._timers.append(self._loop.call_later(seconds, self._signal, number))

    def _signal(self, number: signal.Signals) -> None:
        if not self._has_exited:  # else its number may be another's
            with suppress(OSError):
                os.killpg(self.group, number)

    def _set_reading(self) -> None:
        """Whoever is being stopped is read again when it has exited, to the end of its pipe."""
        pipe = cast("asyncio.ReadTransport | None", self._transport.get_pipe_transport(STDOUT))
        if pipe is None or pipe.is_closing():
            return
        waits = self._awaits_room or self._rest is not None
        may_read = self._has_exited if self._why else not waits
        if may_read and not pipe.is_reading():
            pipe.resume_reading()
        elif not may_read and pipe.is_reading():
            pipe.pause_reading()

    def _go_on(self) -> bool:
        """Read a piece in our turn, and wait for the next one."""
        rest = self._rest
        if rest is None:
            return False
        piece, self._rest = bytes(rest[:READ_AT_ONCE]), rest[READ_AT_ONCE:] or None
        self._read(piece)
        if self._awaits_room:
            return False
        if self._rest is not None:
            self._loop_share.wait(self._go_on)
        else:
            self._set_reading()
            self._finish_if_done()
        return False

    def _read(self, piece: bytes) -> None:
        try:
            lines = self._lines.feed(piece)
        except LineTooLong:
            self.kill(f"a line of its output is longer than {self._most_bytes} bytes")
            return
        for line in lines:
            room, self._room = self._room, None
            self.hearer.heard(line, room)
        if self._lines.held > LARGE and self._room is None and not self._why:
            self._awaits_room = True
            self._set_reading()
            self._held.ask(self._most_bytes, self._has_room)

    def _has_room(self, room: Room) -> None:
        if self._awaits_room:
            self._awaits_room = False
            self._room = None if self._why else room
            self._set_reading()
            if self._rest is not None:
                self._loop_share.wait(self._go_on)

    def _read_error(self, data: bytes) -> None:
        self._error.feed(data)
        self._error_bytes += len(data)
        if self._error_bytes > ERROR_BYTES:
            self._error_bytes = 0
            self._pause_error()

    def _said(self, text: str) -> None:
        self.hearer.said(text)

    def _pause_error(self) -> None:
        pipe = cast("asyncio.ReadTransport", self._transport.get_pipe_transport(STDERR))
        pipe.pause_reading()
        self._timers.append(self._loop.call_later(1.0, pipe.resume_reading))

    def _finish_if_done(self) -> None:
        if self._has_exited and not self._open and self._rest is None:
            self.close()

    def _finish(self) -> None:
        if self.gone.done():
            return
        for timer in self._timers:
            timer.cancel()
        self._error.end()
        self.gone.set_result(None)
        self.hearer.ended(self._why or self._how_it_ended())

    def _how_it_ended(self) -> str:
        code = self._transport.get_returncode()
        if code is None:
            return "it does not end"
        return f"it ended with exit status {code}" if code >= 0 else f"it was ended by signal {-code}"
