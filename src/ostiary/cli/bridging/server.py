"""The server as a gateway has it, for as long as its client likes to wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ostiary.gateway.one_server import OneServer

if TYPE_CHECKING:
    from ostiary.cli.target import ChosenServer
    from ostiary.credentials.runtime import Runtime

PATIENCE = timedelta(days=1)
"""For an answer. A program that says nothing is started in vain, so there its own time counts."""


def server_of(chosen: ChosenServer, runtime: Runtime) -> OneServer:
    """It, under the name by which errors and advice speak of it."""
    settings = chosen.settings
    if settings.url is not None and "timeout" not in settings.model_fields_set:
        settings = settings.model_copy(update={"timeout": PATIENCE})
    return OneServer(chosen.name or settings.place, settings, runtime, chosen.proxies)
