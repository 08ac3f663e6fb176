"""`ostiary up --workers N`: processes at the same addresses, and the one that looks after them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.cli.test_up import Start, free_port, next_line, start

from ostiary.cli.workers import LONG_ENOUGH, LONGEST_PAUSE, Place
from ostiary.settings import Listen
from ostiary.transport.workers import Worker

__all__ = ["start"]

FILE = """\
gateway:
  listen: 127.0.0.1:{gateway}
  allow_unauthenticated: true
  servers: {{nobody: {{url: "http://127.0.0.1:1/mcp"}}}}
telemetry: {{listen: "127.0.0.1:{telemetry}", access_log: access.jsonl}}
"""


def children_of(pid: int) -> list[int]:
    """By number of process."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether it still runs: one that has ended may not have been buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_that_dies_is_replaced_and_the_rest_end_together(tmp_path: Path, start: Start) -> None:
    ports = {"gateway": free_port(), "telemetry": free_port()}
    (tmp_path / "ostiary.yaml").write_text(FILE.format(**ports))
    up = start("up", "--workers", "2")
    assert [next_line(up) for _ in range(4)] == [
        f"The gateway answers at http://127.0.0.1:{ports['gateway']}/mcp, in front of nobody.\n",
        f"Health, metrics and status are at http://127.0.0.1:{ports['telemetry']}.\n",
        "2 workers share the work.\n",
        "Ctrl-C stops them.\n",
    ]
    telemetry = f"http://127.0.0.1:{ports['telemetry']}"
    metadata = f"http://127.0.0.1:{ports['gateway']}/.well-known/oauth-protected-resource/mcp"
    assert httpx2.get(f"{telemetry}/readyz").json() == {"status": "ready"}
    counted = httpx2.get(f"{telemetry}/metrics").text.splitlines()
    assert sum(line.startswith("process_open_fds{worker=") for line in counted) == 2
    assert sum(line.startswith("process_cpu_seconds_total ") for line in counted) == 1

    first, second = children_of(up.pid)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(children_of(up.pid)) == 2 and first not in children_of(up.pid))
    assert second in children_of(up.pid)
    assert httpx2.get(metadata).status_code == 200
    eventually(lambda: httpx2.get(f"{telemetry}/metrics").text.count("process_open_fds{worker=") == 2)

    up.send_signal(signal.SIGHUP)
    up.send_signal(signal.SIGTERM)
    said, errors = up.communicate(timeout=15)
    assert (said, up.returncode) == ("", 0)
    events = {json.loads(line)["event"] for line in errors.splitlines()}
    assert events <= {"worker_ended", "configuration_taken"}
    accessed = [json.loads(line) for line in (tmp_path / "access.jsonl").read_text().splitlines()]
    assert [(one["method"], one["path"], one["status"]) for one in accessed] == [
        ("GET", "/.well-known/oauth-protected-resource/mcp", 200)
    ]


def test_workers_do_not_outlive_the_one_that_looks_after_them(tmp_path: Path, start: Start) -> None:
    (tmp_path / "ostiary.yaml").write_text(FILE.format(gateway=free_port(), telemetry=free_port()))
    up = start("up", "--workers", "2")
    for _ in range(4):
        next_line(up)
    left = children_of(up.pid)
    up.kill()
    eventually(lambda: not any(map(is_alive, left)))


def test_what_is_wrong_is_told_once(tmp_path: Path, ostiary: Any, start: Start) -> None:
    ports = {"gateway": free_port(), "telemetry": free_port()}
    file = tmp_path / "ostiary.yaml"
    file.write_text(FILE.format(**ports))
    with socket.create_server(("127.0.0.1", ports["gateway"])):
        taken = ostiary("up", "--workers", "3")
    assert (taken.code, taken.err) == (
        1,
        f"127.0.0.1:{ports['gateway']} is taken: stop what listens there, or choose another port\n",
    )
    file.write_text(FILE.format(**{**ports, "gateway": 0}))
    assert ostiary("up", "--workers", "2").err == (
        "workers cannot share 127.0.0.1:0, where each takes another port: name one\n"
    )
    for name in ("no.crt", "no.key"):
        (tmp_path / name).write_text("nothing")
    certificates = "{certificate: no.crt, private_key: no.key}"
    file.write_text(FILE.format(**ports).replace("gateway:\n", f"gateway:\n  tls: {certificates}\n"))
    up = start("up", "--workers", "2")
    said, errors = up.communicate(timeout=15)
    assert (said, up.returncode, errors.count("no.crt cannot be used (it is not one in PEM)")) == ("", 1, 1)


def test_a_second_one_does_not_share_the_ports_of_the_first(tmp_path: Path, start: Start) -> None:
    (tmp_path / "ostiary.yaml").write_text(FILE.format(gateway=free_port(), telemetry=free_port()))
    first = start("up", "--workers", "2")
    next_line(first)
    second = start("up", "--workers", "2")
    assert second.communicate(timeout=15)[1].endswith(
        "is taken: stop what listens there, or choose another port\n"
    )


def test_workers_are_for_a_file(ostiary: Any) -> None:
    outcome = ostiary("up", "--workers", "2")
    assert (outcome.code, outcome.err) == (
        2,
        "--workers is for a file: name one with -c FILE, or write ostiary.yaml\n",
    )


@pytest.mark.parametrize(
    ("lasted", "is_ready", "pauses"),
    [
        (1.0, False, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, LONGEST_PAUSE]),
        (1.0, True, [0.1, 0.2, 0.4]),
        (LONG_ENOUGH + 1, True, [0.1, 0.1, 0.1]),
    ],
)
def test_one_that_keeps_failing_is_started_ever_later(
    lasted: float, is_ready: bool, pauses: list[float]
) -> None:
    with socket.socket() as sock:
        place = Place(Worker(0, (Listen("127.0.0.1", 1),), sock, b""))
        now = 1000.0
        for pause in pauses:
            place.began(4711, now)
            place.is_ready = is_ready
            now += lasted
            place.ended(now)
            assert place.due == pytest.approx(now + pause)
            now += pause
