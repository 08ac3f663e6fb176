"""`ostiary config`: what an ostiary.yaml may say."""

from __future__ import annotations

import typer

app = typer.Typer(help="What an ostiary.yaml may say.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """What an ostiary.yaml may say."""


@app.command()
def schema() -> None:
    """Print the JSON Schema of ostiary.yaml, for editors."""
    from ostiary.cli.console import print_json  # noqa: PLC0415
    from ostiary.config import OstiaryFile  # noqa: PLC0415
    from ostiary.config.schema import file_schema  # noqa: PLC0415

    print_json(file_schema(OstiaryFile))
