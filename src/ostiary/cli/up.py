"""`ostiary up`: run what the file names; without a file, the demo."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage

if TYPE_CHECKING:
    from ostiary.gateway.config import GatewaySettings
    from ostiary.storage.config import StorageSettings


class Part(StrEnum):
    """What a file can run."""

    GATEWAY = "gateway"


def up(
    config: options.Config = None,
    only: Annotated[Part | None, typer.Option(help="Run this part of the file alone.")] = None,
) -> None:
    """Run what ostiary.yaml names; without a file, the secured zoo as a demo."""
    from ostiary.cli.demo import demo  # noqa: PLC0415
    from ostiary.config import OstiaryFile  # noqa: PLC0415
    from ostiary.telemetry.logs import set_up_logs  # noqa: PLC0415
    from ostiary.transport.serving import run  # noqa: PLC0415

    here = Path(OstiaryFile.default_name)
    set_up_logs()
    if config is not None or here.exists():
        run(_gateway(*_settings(config or here)))
    elif only is not None:
        raise BadUsage(f"--only chooses from a file: name one with -c FILE, or write {here}")
    else:
        run(demo())


def _settings(file: Path) -> tuple[GatewaySettings, StorageSettings | None]:
    from ostiary.config import ConfigurationError, OstiaryFile, read  # noqa: PLC0415
    from ostiary.config.presence import absent  # noqa: PLC0415

    loaded = read(file, OstiaryFile)
    if faults := list(absent(loaded)):
        raise ConfigurationError(faults)
    if loaded.settings.gateway is None:
        raise BadUsage(f"{file} runs nothing: add a gateway")
    return loaded.settings.gateway, loaded.settings.storage


async def _gateway(settings: GatewaySettings, storage: StorageSettings | None) -> None:
    from ostiary.cli.console import print_text  # noqa: PLC0415
    from ostiary.gateway import Gateway  # noqa: PLC0415
    from ostiary.transport.serving import bind  # noqa: PLC0415

    sock = bind(settings.listen)
    async with Gateway(settings, storage=storage) as gateway, gateway.listening(sock):
        servers = ", ".join(settings.servers) or "no server yet"
        print_text(
            f"The gateway answers at {settings.public_url}/mcp, in front of {servers}. Ctrl-C stops it."
        )
        await asyncio.get_running_loop().create_future()
