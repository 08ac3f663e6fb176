"""`ostiary zoo`: the example MCP server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ostiary.cli.failure import BadUsage


def zoo(
    port: Annotated[
        int | None, typer.Option(help="Where to listen. Default: $PORT, else 8080.", min=0, max=65535)
    ] = None,
) -> None:
    """Run the zoo, the example MCP server, without any protection of its own."""
    from ostiary.telemetry.logs import set_up_logs  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415
    from ostiary.zoo.listening import BadPort, listen_address, serve  # noqa: PLC0415

    set_up_logs()
    try:
        listen = listen_address(os.environ, port=port)
    except BadPort as refused:
        raise BadUsage(str(refused)) from None
    run(serve(listen))
