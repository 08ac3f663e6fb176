"""`ostiary up`: run what the file names; without a file, the demo."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.cli.reloading import Given
    from ostiary.cli.workers import Started
    from ostiary.config import OstiaryFile


class Part(StrEnum):
    """What a file can run."""

    GATEWAY = "gateway"
    AUTHSERVER = "authserver"


def up(
    config: options.Config = None,
    only: Annotated[Part | None, typer.Option(help="Run this part of the file alone.")] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, envvar="OSTIARY_WORKERS", help="How many processes share the work.")
    ] = 1,
) -> None:
    """Run what ostiary.yaml names; without a file, the secured zoo as a demo."""
    from ostiary.config import OstiaryFile  # noqa: PLC0415
    from ostiary.telemetry.logs import set_up_logs  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    here = Path(OstiaryFile.default_name)
    set_up_logs()
    if config is not None or here.exists():
        path = config or here
        read = partial(_read, path, only)
        if workers == 1:
            run(_until_stopped(read(), read))
        else:
            _share(read, workers)
    elif workers > 1:
        raise BadUsage(f"--workers is for a file: name one with -c FILE, or write {here}")
    elif only is not None:
        raise BadUsage(f"--only chooses from a file: name one with -c FILE, or write {here}")
    else:
        from ostiary.cli.demo import demo  # noqa: PLC0415 - every part of the house

        run(demo())


def _read(path: Path, only: Part | None) -> Given:
    from ostiary.cli.reloading import Given  # noqa: PLC0415
    from ostiary.live_file import file_state  # noqa: PLC0415

    state = file_state(path)  # before it is read: whatever is written meanwhile is seen next time
    return Given(path, state, _parts(path, only))


def _parts(file: Path, only: Part | None) -> OstiaryFile:
    """The file with nothing in it but what runs here: the secrets of other parts may be elsewhere."""
    from ostiary.config.examined import examined  # noqa: PLC0415

    elsewhere = {part.value: None for part in Part if only is not None and part is not only}
    loaded = examined(file, elsewhere=elsewhere)
    if only is not None and getattr(loaded.settings, only.value) is None:
        raise BadUsage(f"{file} has no {only.value}")
    if loaded.settings.gateway is None and loaded.settings.authserver is None:
        raise BadUsage(f"{file} runs nothing: add a gateway or an authserver")
    return loaded.settings


async def _until_stopped(given: Given, read: Callable[[], Given]) -> None:
    from ostiary.cli.console import print_text  # noqa: PLC0415
    from ostiary.cli.reloading import keep_reloading  # noqa: PLC0415
    from ostiary.cli.running import running, what_stands  # noqa: PLC0415
    from ostiary.transport.event_loop import has_started  # noqa: PLC0415

    async with running(given.file) as gateway:
        for sentence in what_stands(given.file):
            print_text(sentence)
        print_text("Ctrl-C stops it.")
        sys.stdout.flush()
        has_started()
        await keep_reloading(given, read, gateway)


def _share(read: Callable[[], Given], count: int) -> None:
    """Run the file in so many processes."""
    from ostiary.cli.console import print_text  # noqa: PLC0415
    from ostiary.cli.running import load_parts, what_stands  # noqa: PLC0415
    from ostiary.cli.workers import log, start_workers  # noqa: PLC0415
    from ostiary.operator_error import OperatorError  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    given = read()
    file = given.file

    def stand() -> None:
        for sentence in what_stands(file):
            print_text(sentence)
        print_text(f"{count} workers share the work.\nCtrl-C stops them.")
        sys.stdout.flush()

    def reread() -> None:
        nonlocal given
        try:
            given = read()
        except OperatorError as error:
            log.error("configuration_not_reread", reason=str(error))

    load_parts(file)
    parts = [part for part in (file.telemetry, file.authserver, file.gateway) if part is not None]
    listens = [listen for part in parts for listen in part.listens.values()]
    patience = 0.0 if file.gateway is None else file.gateway.drain_timeout.total_seconds()
    started = start_workers(count, listens, stand=stand, reread=reread, patience=patience)
    run(_until_ended(given, read, started))


async def _until_ended(given: Given, read: Callable[[], Given], started: Started) -> None:
    import asyncio  # noqa: PLC0415

    from ostiary.cli.reloading import keep_reloading  # noqa: PLC0415
    from ostiary.cli.running import running  # noqa: PLC0415
    from ostiary.transport.event_loop import until_told_to_end  # noqa: PLC0415

    async with running(given.file, started.worker) as gateway:
        started.tell()
        reloading = asyncio.create_task(keep_reloading(given, read, gateway))
        try:
            await until_told_to_end(or_gone=started.parent)
        finally:
            reloading.cancel()
