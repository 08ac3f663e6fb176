"""Our authorization server, as the file in the first argument has it, in this process alone."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ostiary.authserver import AuthServer
from ostiary.config import OstiaryFile, read
from ostiary.telemetry.logs import set_up_logs
from ostiary.transport.serving import bind, run


async def main() -> None:
    settings = read(Path(sys.argv[1]), OstiaryFile).settings
    assert settings.authserver is not None
    assert settings.storage is not None
    assert settings.telemetry.audit is not None
    sock = bind(settings.authserver.listen)
    server = AuthServer(settings.authserver, storage=settings.storage, audit=settings.telemetry.audit.path)
    async with server, server.listening(sock):
        await asyncio.get_running_loop().create_future()


set_up_logs()
run(main())
