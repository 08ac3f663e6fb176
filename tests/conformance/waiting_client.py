"""The suite's client, imported once and forked for each scenario: the suite starts dozens at a time."""

from __future__ import annotations

import gc
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = Path(__file__).with_name("client.py")
FORK = Path(__file__).with_name("fork.py")


@contextmanager
def waiting_client() -> Iterator[str]:
    """The command with which the suite starts a client."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/socket"
        with subprocess.Popen(
            [sys.executable, __file__, path], stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                yield shlex.join([sys.executable, "-I", "-S", str(FORK), path])
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # and its forks


def wait(path: str) -> None:
    runpy.run_path(str(CLIENT))
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(128)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            asking, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(asking)
            asking.close()


def answer(asking: socket.socket) -> None:
    """Be the client that was asked for, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, streams, _, _ = socket.recv_fds(asking, 65536, 3)
    while more := asking.recv(65536):
        told += more
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    arguments, environment = json.loads(told)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(CLIENT), *arguments]
    status = 1
    try:
        runpy.run_path(str(CLIENT), run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    asking.send(bytes([status]))
    os._exit(status)


if __name__ == "__main__":
    wait(sys.argv[1])
