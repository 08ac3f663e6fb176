"""What it takes to start a program that ends, and one that answers over HTTP or on its standard output."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.peers import HERE, START_SECONDS, processor_seconds

REST = 2.0
"""Seconds after the first answer until memory is read: what is done behind it is done by then."""
PAUSE = 0.005
"""Seconds between tries to reach a server that starts."""
KIB_IN_MIB = 1024
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment of what is started: an installed program has its bytecode, from its first start."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one start took."""

    processor: float
    """Processor seconds until its end, or until its first answer."""
    memory: float
    """MiB: the most that it had, when it ended; else what it has at rest."""
    seconds: float = 0.0
    """Until the first answer of what stands."""
    stopping: float = 0.0
    """Seconds from SIGTERM to the end of what stands."""


def median(costs: Sequence[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*map(statistics.median, zip(*map(astuple, costs), strict=True)))


def ending(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Start one that ends by itself. Raises RuntimeError when it fails."""
    finished = subprocess.run(
        [sys.executable, "-S", str(HERE / "metered.py"), *command],
        cwd=folder,
        env={**COMPILED, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    used = json.loads(finished.stderr.splitlines()[-1])
    if used["status"] != 0:
        raise RuntimeError(f"{command!r} failed: {finished.stderr}")
    return Cost(used["processor"], used["memory"] / KIB_IN_MIB)


def listening(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], answers: Callable[[], object]
) -> Cost:
    """Start a server that listens. answers: one try, which gives nothing while it does not."""
    with _Started(command, folder, environment) as started:
        while not answers():
            started.must_run()
            time.sleep(PAUSE)
        return started.cost()


def carrying(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], said: Sequence[Mapping[str, Any]]
) -> Cost:
    """Start a server of MCP on standard input and output. said: to it; the last is a request."""
    with _Started(command, folder, environment) as started:
        for message in said:
            started.say(json.dumps(message))
        while (heard := json.loads(started.hear())).get("id") != said[-1]["id"]:
            pass
        if "result" not in heard:
            raise RuntimeError(f"{command!r} answered {heard!r}")
        return started.cost()


class _Started:
    """A process that runs until the block ends, at the latest."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._began = time.perf_counter()
        self._process: subprocess.Popen[str] = subprocess.Popen(
            command,
            cwd=folder,
            env={**COMPILED, **environment},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def must_run(self) -> None:
        """Raises RuntimeError when it does not, or takes too long."""
        status = self._process.poll()
        if status is not None or time.perf_counter() - self._began > START_SECONDS:
            raise RuntimeError(f"{self._process.args!r} does not answer; its status is {status}")

    def say(self, line: str) -> None:
        """Write a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Its next line. Raises RuntimeError when there is none any more."""
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"{self._process.args!r} ended with status {self._process.wait()}")
        return line

    def cost(self) -> Cost:
        """What it took so far; what it has at rest, and takes to stop."""
        seconds, processor = time.perf_counter() - self._began, processor_seconds(self._process.pid)
        time.sleep(REST)
        memory, told = _resident(self._process.pid), time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=START_SECONDS)
        return Cost(processor, memory, seconds, time.perf_counter() - told)


def _resident(process_id: int) -> float:
    """MiB that a process has now."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / KIB_IN_MIB
