"""A container: the command of a service, in a process group of its own, with what Cloud Run promises it.

It gets nothing else of us: what we hold in our environment is ours, as on Cloud Run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.operator_error import OperatorError
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL, as on Cloud Run."""
POLL = 0.02
OF_THE_MACHINE = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "TMPDIR", "TZ")
"""What a command is given of our own environment, besides PATH: its place, its words, its time, its code."""


class ContainerFailed(OperatorError):
    """The command did not start, or did not listen in time. The message names the service and the remedy."""


@asynccontextmanager
async def container(
    service: str, command: Sequence[str], *, environment: Mapping[str, str], startup_timeout: float
) -> AsyncIterator[str]:
    """Run a command until the block ends; gives its origin once it listens. Raises ContainerFailed."""
    port = _free_port()
    ours = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    variables = ours | dict(environment) | service_variables(service, port)
    process = await _start(service, command, variables)
    try:
        await _until_it_listens(service, process, port, startup_timeout)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        await _stop(process)


def service_variables(service: str, port: int) -> dict[str, str]:
    """The variables of Cloud Run's container contract, and $HOST."""
    # The interpreter's own folder comes first, so that `command: [ostiary, zoo]` is this very Ostiary.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        "PORT": str(port),
        "K_SERVICE": service,
        "K_REVISION": f"{service}-00001-emu",
        "K_CONFIGURATION": service,
        "HOST": LOOPBACK,  # ours alone: keeps strangers from walking around the front end
        "PATH": path,
    }


async def _start(
    service: str, command: Sequence[str], variables: Mapping[str, str]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command, env=variables, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise ContainerFailed(
            f"service {service}: its command {command[0]!r} cannot start: {error.strerror}"
        ) from None


async def _until_it_listens(
    service: str, process: asyncio.subprocess.Process, port: int, startup_timeout: float
) -> None:
    try:
        async with asyncio.timeout(startup_timeout):
            while not await _listens(port):
                if process.returncode is not None:
                    raise ContainerFailed(
                        f"service {service}: its command ended with status {process.returncode} "
                        "before it listened on $PORT; what it printed says why"
                    )
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise ContainerFailed(
            f"service {service}: its command did not listen on $PORT ({port}) within {startup_timeout:g} s; "
            "let it read $PORT, or give it a longer startup_timeout"
        ) from None


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the whole group: politely, then not."""
    _signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _free_port() -> int:
    with bind(Listen(LOOPBACK, 0)) as sock:
        return address_of(sock).port
