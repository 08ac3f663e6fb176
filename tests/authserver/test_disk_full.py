"""A disk that is full: 503, nothing half-written, and the same request is good when there is room again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.event import contains, listen, remove
from tests.authserver.agreed import give_code, redemption, refusal, settings
from tests.authserver.conftest import Server, Start

from ostiary.storage.errors import StorageUnavailable

PAGES = 150
"""Of 4 KiB, for the whole database."""
MOST = 500
AWAY = refusal("the server cannot reach its store; nothing was spent", "temporarily_unavailable")


def _bound(connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA max_page_count = {PAGES}")


@pytest.fixture
def little_disk() -> Iterator[None]:
    listen(Engine, "connect", _bound)
    yield
    if contains(Engine, "connect", _bound):
        remove(Engine, "connect", _bound)


async def fill(server: Server) -> None:
    for _ in range(MOST):
        await give_code(server)


@pytest.mark.usefixtures("little_disk")
async def test_disk_full(start: Start) -> None:
    async with start(settings()) as server:
        codes = [await give_code(server) for _ in range(10)]
        with pytest.raises(StorageUnavailable, match="full"):
            await fill(server)
        answers = {code: await server.token(redemption(code)) for code in codes}
        refused = [code for code, answered in answers.items() if answered.status_code == 503]
        assert {answers[code].headers["retry-after"] for code in refused} == {"5"}
        assert [answers[code].json() for code in refused] == [AWAY] * len(refused)
    remove(Engine, "connect", _bound)
    async with start(settings()) as server:
        assert {(await server.token(redemption(code))).status_code for code in refused} == {200}
