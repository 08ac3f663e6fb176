"""A program that serves until we end it, and says on its standard output when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

LAST_LINES = 40
"""Of what it printed, shown when it fails."""


@asynccontextmanager
async def serving_program(
    *command: str,
    ready: str,
    within: float,
    environment: Mapping[str, str] | None = None,
    standard_input: str = "",
    directory: Path | None = None,
) -> AsyncIterator[str]:
    """Run it; the line with which it said that it was ready (the first that contains `ready`).

    It and all that it started end with us. within: seconds that it may take.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=directory,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(standard_input.encode())
    reader = None
    try:
        async with asyncio.timeout(within):
            line = await _line_with(ready, process.stdout)
        reader = asyncio.create_task(_discard(process.stdout))
        yield line
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if reader is not None:
            await reader
        await process.communicate()


async def _line_with(text: str, output: asyncio.StreamReader) -> str:
    printed: deque[str] = deque(maxlen=LAST_LINES)
    while line := (await output.readline()).decode(errors="replace"):
        if text in line:
            return line
        printed.append(line)
    raise AssertionError("it ended before it was ready:\n" + "".join(printed))


async def _discard(output: asyncio.StreamReader) -> None:
    while await output.read(65536):
        pass
