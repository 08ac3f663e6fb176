"""The event loop of a process of ours, and how it is told to end."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from ostiary.transport.free_memory import keep_giving_back

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T | None:
    """Run the coroutine on the fastest event loop there is; SIGINT and SIGTERM cancel it, giving None."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_signalled(main))


def has_started() -> None:
    """Look for garbage from now on, if nobody did while the process started; what it has by now, it keeps."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


async def until_told_to_end(*, or_gone: int | None = None) -> None:
    """Everything stands: wait until whoever waits is cancelled, as a signal does it.

    or_gone: a descriptor that can be read when the process that looks after this one is gone.
    """
    has_started()
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    if or_gone is None:
        await gone
        return
    loop.add_reader(or_gone, gone.set_result, None)
    try:
        await gone
    finally:
        loop.remove_reader(or_gone)


async def _until_signalled(main: Coroutine[Any, Any, T]) -> T | None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    signalled = False

    def stop() -> None:
        nonlocal signalled
        signalled = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    giving_back = loop.create_task(keep_giving_back())
    try:
        return await task
    except asyncio.CancelledError:
        if not signalled:
            raise
        return None
    finally:
        giving_back.cancel()


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415 - it is not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
