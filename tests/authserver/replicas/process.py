"""A replica's process: it is told what it needs on its standard input, and dies by SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).parents[3])
"""Where `tests` is found."""
STARTS_WITHIN = 60.0
"""Seconds, on a machine that has much to do."""


class ReplicaProcess:
    """Started, killed, and started again in the same place. script: beside this file."""

    def __init__(self, script: str, directory: Path, **words: Any) -> None:
        self._script = Path(__file__).with_name(script)
        self._directory = directory
        self._words = json.dumps(words).encode()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until it says that it is ready."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self._script),
            cwd=self._directory,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._words)
        process.stdin.close()
        async with asyncio.timeout(STARTS_WITHIN):
            assert await process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        """While it is dead its ports refuse connections."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.communicate()
