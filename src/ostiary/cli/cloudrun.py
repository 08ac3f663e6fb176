"""`ostiary cloudrun`: Google Cloud Run, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ostiary.cloudrun.emulator import EmulatorSettings
    from ostiary.cloudrun.emulator.config import ServiceSettings

app = typer.Typer(help="Google Cloud Run, on this machine.", no_args_is_help=True)


@app.callback()
def cloudrun() -> None:
    """Google Cloud Run, on this machine."""


@app.command()
def emulate(
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="What the local Google runs.")
    ] = Path("emulator.yaml"),
) -> None:
    """Run the local Google: metadata server, token endpoint, and Cloud Run services."""
    from ostiary.cloudrun.emulator import EmulatorSettings  # noqa: PLC0415
    from ostiary.config import read  # noqa: PLC0415
    from ostiary.telemetry.logs import set_up_logs  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    settings = read(config, EmulatorSettings).settings
    set_up_logs()
    run(_emulate(settings))


async def _emulate(settings: EmulatorSettings) -> None:
    from ostiary.cli.console import print_table, print_text  # noqa: PLC0415
    from ostiary.cloudrun.emulator import Emulator  # noqa: PLC0415
    from ostiary.transport.event_loop import until_told_to_end  # noqa: PLC0415

    async with Emulator(settings) as emulator:
        print_text(f"The local Google answers at {emulator.google_url}. Programs find it by:")
        for name, value in emulator.environment().items():
            print_text(f"  export {name}={value}")
        if settings.services:
            print_table(
                [
                    {
                        "service": name,
                        "where": emulator.service_url(name),
                        "invokers": _invokers(service),
                    }
                    for name, service in settings.services.items()
                ]
            )
        await until_told_to_end()


def _invokers(service: ServiceSettings) -> str:
    return ", ".join(map(str, service.invokers)) or "nobody"
