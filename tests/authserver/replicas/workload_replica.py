"""A replica with a port for workloads, whose clock is moved: `python workload_replica.py < settings.json`.

It waits for another's renewal for three seconds instead of twenty: what a replica claimed that died is free
by the clock, which is moved only when nobody waits.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.peers.moved_clock import MovedClock

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.authserver.upstream_grants import renewal
from ostiary.settings import Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.event_loop import run
from ostiary.transport.listeners import answering
from ostiary.transport.serving import bind

PATIENCE = 3.0


async def main(authserver_values: dict[str, Any], storage: dict[str, Any], port: int, clock: str) -> None:
    context = {"insecure_inline_secrets": True, "base_directory": Path.cwd()}
    settings = AuthServerSettings.model_validate(authserver_values, context=context)
    assert settings.internal is not None
    sockets = {
        "authserver.listen": bind(Listen("127.0.0.1", port)),
        "authserver.internal.listen": bind(settings.internal.listen),
    }
    async with (
        AuthServer(
            settings,
            storage=StorageSettings.model_validate(storage, context=context),
            audit=Path(f"audit-{port}.jsonl"),
            clock=MovedClock(Path(clock)),
        ) as server,
        answering(server.listeners(), sockets),
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


vars(renewal)["PATIENCE"] = PATIENCE
run(main(**json.load(sys.stdin)))
