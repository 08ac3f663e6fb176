"""`ostiary bridge`: any server, for clients that speak only stdio; a fresh token on every request."""

from __future__ import annotations

from typing import Annotated

import typer

from ostiary.cli import options


def bridge(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    no_credential: options.NoCredential = False,
) -> None:
    """Speak MCP on standard input and output, for clients that speak only that, with any server."""
    from ostiary.cli.bridging.pump import bridge as carry  # noqa: PLC0415
    from ostiary.cli.target import TargetOptions, choose_server  # noqa: PLC0415
    from ostiary.telemetry.logs import set_up_logs  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    chosen = choose_server(TargetOptions(url, server, config, credential, no_credential))
    set_up_logs()
    run(carry(chosen))
