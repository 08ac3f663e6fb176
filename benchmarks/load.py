"""What wrk measures: requests per second, and how long they take."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_UNITS = {"us": 1.0, "ms": 1000.0, "s": 1_000_000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. Latency in microseconds; failed counts answers that were not 2xx, and broken connections."""

    requests: int
    per_second: float
    p50: float
    p99: float
    failed: int


def load(
    url: str, script: str | None, arguments: Sequence[str], *, connections: int, seconds: float, core: int
) -> Measured:
    """Ask as fast as it goes from one thread on one core. script: what is asked; None for GET requests."""
    duration = max(1, round(seconds))
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{duration}", "--latency"]
    if script is not None:
        command += ["-s", str(HERE / script)]
    finished = subprocess.run(
        [*command, url, "--", *arguments], capture_output=True, text=True, check=True, timeout=duration + 30
    )
    return _read(finished.stdout)


def _read(output: str) -> Measured:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    failed = (int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return Measured(
        int(_find(r"(\d+) requests in", output)[0]),
        float(_find(r"Requests/sec:\s+([\d.]+)", output)[0]),
        _time("50%", output),
        _time("99%", output),
        failed,
    )


def _time(line: str, output: str) -> float:
    number, unit = _find(rf"\s{line}\s+([\d.]+)(us|ms|s)", output)
    return float(number) * _UNITS[unit]


def _find(pattern: str, output: str) -> tuple[str, ...]:
    match = re.search(pattern, output)
    if match is None:
        raise RuntimeError(f"wrk said something unexpected:\n{output}")
    return match.groups()
