"""The chosen server as a gateway has it, which is in this process and has no listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.gateway.one_server import OneServer

if TYPE_CHECKING:
    from datetime import timedelta

    from ostiary.cli.target import ChosenServer
    from ostiary.credentials.runtime import Runtime


def gateway_within(
    chosen: ChosenServer, runtime: Runtime, *, patience: timedelta | None = None, transport: str | None = None
) -> OneServer:
    """It, under the name by which errors and advice speak of it.

    patience: for an answer, where the configuration has no `timeout`; transport: another than it says.
    """
    settings = chosen.settings
    changes: dict[str, Any] = {} if transport is None else {"transport": transport}
    if patience is not None and "timeout" not in settings.model_fields_set:
        changes["timeout"] = patience
    settings = settings.model_copy(update=changes)
    return OneServer(chosen.name or chosen.place, settings, runtime, chosen.proxies)
