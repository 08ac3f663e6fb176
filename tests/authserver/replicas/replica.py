"""One replica as a process of its own, which dies by SIGKILL: `python replica.py < settings.json`.

Its keys rotate every few seconds, which ostiary.yaml refuses: nobody could keep up. Here everybody does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

from ostiary.authserver import AuthServer, AuthServerSettings
from ostiary.authserver.config.settings import SigningSettings
from ostiary.authserver.server import authserver
from ostiary.settings import Listen
from ostiary.storage.config import StorageSettings
from ostiary.transport.event_loop import run
from ostiary.transport.listeners import answering
from ostiary.transport.serving import bind

LOOKS_EVERY = 0.3
ROTATES_EVERY = timedelta(seconds=2)
PUBLISHED_AHEAD = timedelta(seconds=1)


async def main(port: int, authserver_values: dict[str, object], storage: dict[str, object]) -> None:
    context = {"insecure_inline_secrets": True, "base_directory": Path.cwd()}
    checked = AuthServerSettings.model_validate(authserver_values, context=context)
    signing = SigningSettings.model_construct(
        algorithm="ES256", rotate_every=ROTATES_EVERY, publish_ahead=PUBLISHED_AHEAD
    )
    settings = checked.model_copy(update={"signing": signing})
    store = StorageSettings.model_validate(storage, context=context)
    sock = bind(Listen("127.0.0.1", port))
    audit = Path(f"audit-{port}.jsonl")
    async with (
        AuthServer(settings, storage=store, audit=audit) as server,
        answering(server.listeners(), {"authserver.listen": sock}),
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


vars(authserver)["VIEW_AGE"] = LOOKS_EVERY
run(main(**json.load(sys.stdin)))
