"""Standard input as lines, and standard output for messages alone."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator

CHUNK = 64 * 1024


async def lines_of_stdin() -> AsyncIterator[bytes]:
    """Each line that is not empty, until the other side closes.

    A daemon thread reads the bare descriptor: whoever stops waiting is not held up by it, and pipes,
    terminals and files are read alike.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        while True:
            try:
                chunk = os.read(0, CHUNK)
            except OSError:
                chunk = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:
                return  # the loop has ended, and nobody waits
            if not chunk:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    begun: list[bytes] = []
    while chunk := await chunks.get():
        first, *others = chunk.split(b"\n")
        begun.append(first)
        for other in others:
            line, begun = b"".join(begun), [other]
            if line.strip():
                yield line
    if (rest := b"".join(begun)).strip():
        yield rest


class MessageOutput:
    """The only one that writes to standard output: what else is printed goes to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._descriptor = os.dup(1)
        os.dup2(2, 1)

    async def write(self, line: bytes) -> None:
        """Write one line. Raises BrokenPipeError when nobody reads any more."""
        await asyncio.to_thread(self._write, line + b"\n")

    def _write(self, line: bytes) -> None:
        data = memoryview(line)
        while data:
            data = data[os.write(self._descriptor, data) :]
