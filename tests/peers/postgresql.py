"""A PostgreSQL server of the tests' own: made, run and deleted by them, on a socket of 127.0.0.1."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.unavailable import takes_time, unavailable

DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class PostgreSql:
    """One that runs."""

    password = "hunter2"
    """Of the user `ostiary`, who owns every database."""

    def __init__(self, programs: Path, port: int) -> None:
        self._programs = programs
        self._port = port
        self._numbers = itertools.count(1)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test{next(self._numbers)}"
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-U", "ostiary"]
        environment = os.environ | {"PGPASSWORD": self.password}
        subprocess.run([self._programs / "createdb", *where, name], env=environment, check=True, timeout=30)
        return f"postgresql://ostiary@127.0.0.1:{self._port}/{name}"


@contextmanager
def running_postgresql() -> Iterator[PostgreSql]:
    """Run one. Without PostgreSQL, skip; in CI, fail."""
    takes_time("PostgreSQL")
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="ostiary-postgresql-"))
    user = _other_than_root()
    if user is not None:
        shutil.chown(directory, user)
    data, password = directory / "data", directory / "password"
    password.write_text(PostgreSql.password)
    password.chmod(0o644)
    try:
        login = ("-U", "ostiary", "-A", "scram-sha-256", f"--pwfile={password}")
        _run(programs / "initdb", "-D", data, *login, "-N", user=user)
        with socket.create_server(("127.0.0.1", 0)) as free:  # late: it may not stay free for long
            port = int(free.getsockname()[1])
        options = f"-p {port} -h 127.0.0.1 -k {directory} -F"
        _run(
            programs / "pg_ctl", "-D", data, "-l", directory / "log", "-o", options, "-w", "start", user=user
        )
        try:
            yield PostgreSql(programs, port)
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", user=user)
    finally:
        shutil.rmtree(directory)


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else DEBIANS
    if not folders:
        unavailable("no PostgreSQL here: install it (apt install postgresql) to run this test")
    return folders[-1]


def _other_than_root() -> str | None:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _run(*words: str | Path, user: str | None) -> None:
    subprocess.run(
        words,
        user=user,
        cwd="/",
        check=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
