"""All is sealed anew under a newer key while people's programs refresh their tokens, and nobody notices."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from tests.authserver.agreed import refresh, settings, sign_in
from tests.authserver.conftest import Server, Start

from ostiary.storage.database import Database
from ostiary.storage.resealing import reseal
from ostiary.storage.sealing import KeyRing, key_id
from ostiary.storage.store import Store

NEW = bytes([1] * 32)
PEOPLE, TIMES = 8, 5


async def refresh_often(server: Server, token: str) -> str:
    """The last of a family."""
    for _ in range(TIMES):
        answered = await refresh(server, token)
        assert answered.status_code == 200, answered.text
        token = answered.json()["refresh_token"]
    return token


async def test_whoever_refreshes_meanwhile_goes_on_and_the_old_key_may_go(
    start: Start, tmp_path: Path
) -> None:
    async with start(settings()) as server:
        tokens = [(await sign_in(server))["refresh_token"] for _ in range(PEOPLE)]
        before = server.server.services.store
        [old], database = before.keys.key_ids, before.database
    file = tmp_path / "ostiary.key"
    line = base64.urlsafe_b64encode(NEW).decode().rstrip("=")
    file.write_text(f"{line}\n{file.read_text()}")
    async with start(settings()) as server:
        services = server.server.services
        apart = Store(Database(database._settings), services.store.keys)
        refreshing = [asyncio.create_task(refresh_often(server, token)) for token in tokens]
        outcome = await reseal(apart, tell=lambda *_: None)
        tokens = await asyncio.gather(*refreshing)
        await apart.close()
    assert (outcome.retired, outcome.unopened.total()) == ([old], 0)
    assert outcome.rows > 0
    file.write_text(f"{line}\n")
    async with start(settings()) as server:
        assert server.server.services.store.keys.key_ids == [key_id(NEW)] == KeyRing([NEW]).key_ids
        for token in tokens:
            assert (await refresh(server, token)).status_code == 200
