"""Are the programs there that servers behind the gateway are? The first caller would find out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.config.faults import FileFault
    from ostiary.config.file import OstiaryFile
    from ostiary.config.load import Loaded


def without_program(loaded: Loaded[OstiaryFile]) -> Iterator[FileFault]:
    """A fault for each server whose command nobody can run. Its secrets and its folder are told elsewhere."""
    gateway = loaded.settings.gateway
    for name, server in ({} if gateway is None else gateway.servers).items():
        program = server.program
        if program is None or (program.directory is not None and not program.directory.is_dir()):
            continue
        from ostiary.transport.child_process.command import ChildNotStarted  # noqa: PLC0415 - as there

        plain = {name: value for name, value in program.environment.items() if isinstance(value, str)}
        try:
            replace(program, environment=plain).prepare()
        except ChildNotStarted as error:
            yield loaded.fault(("gateway", "servers", name, "command"), str(error))
