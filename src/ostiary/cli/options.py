"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration. Default: ostiary.yaml here."),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="NAME", help="Take URL and credential of this server from the configuration."
    ),
]
CredentialText = Annotated[
    str | None,
    typer.Option(
        "--credential",
        metavar="TYPE|JSON",
        help='Use this: a type such as google_id_token, or {"type": "bearer", "token": {"env": "TOKEN"}}.',
    ),
]
NoCredential = Annotated[
    bool, typer.Option("--no-credential", help="Send no token, whatever could be found.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
