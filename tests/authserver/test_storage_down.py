"""The store fails at each step of what it should do: 503, and nothing is half-written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Self

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import OperationalError
from tests.authserver.agreed import (
    TV,
    approve,
    give_code,
    redemption,
    refresh,
    refusal,
    renewal,
    settings,
    sign_in,
)
from tests.authserver.conftest import Server, Start

from ostiary.oauth.server.client import DEVICE_CODE
from ostiary.storage.prepared import Values, _Compiled
from ostiary.storage.schema import metadata

AWAY = refusal("the server cannot reach its store; nothing was spent", "temporarily_unavailable")
MOST_STATEMENTS = 20


class Failing:
    """Fails all statements that change something, from the n-th on since it was entered; the first is 0."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.failed = False
        self.prepared = _Compiled.execute

    def __enter__(self) -> Self:
        listen(Engine, "before_cursor_execute", self.usual)
        failing, prepared = self, self.prepared

        def execute(self: _Compiled, connection: Connection, values: Values) -> sqlite3.Cursor:
            failing.look(self._sql)
            return prepared(self, connection, values)

        _Compiled.execute = execute  # type: ignore[method-assign]  # until it is left
        return self

    def __exit__(self, *_: object) -> None:
        remove(Engine, "before_cursor_execute", self.usual)
        _Compiled.execute = self.prepared  # type: ignore[method-assign]

    def usual(self, connection: Any, cursor: Any, statement: str, *_: object) -> None:
        self.look(statement)

    def look(self, statement: str) -> None:
        if not statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            return
        self.left -= 1
        if self.left < 0:
            self.failed = True
            raise OperationalError(statement, {}, Exception("disk I/O error"))


async def rows(server: Server) -> dict[str, Any]:
    """What is in the store, as far as it can be compared."""
    return await server.server.services.store.read(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.tables.values()
        }
    )


async def code_form(server: Server) -> dict[str, str]:
    return redemption(await give_code(server))


async def refresh_form(server: Server) -> dict[str, str]:
    return renewal((await sign_in(server))["refresh_token"])


async def device_form(server: Server) -> dict[str, str]:
    asked = (await server.post("/oauth/device_authorization", {"client_id": "tv"})).json()
    assert await approve(server, asked["user_code"])
    return {"grant_type": DEVICE_CODE, "device_code": asked["device_code"], "client_id": "tv"}


@pytest.mark.parametrize("form_of", [code_form, refresh_form, device_form])
async def test_storage_down_at_every_step_spends_nothing(
    start: Start, form_of: Callable[[Server], Any]
) -> None:
    values = settings()
    values["clients"].append(TV)
    async with start(values) as server:
        form = await form_of(server)
        before = await rows(server)
        for number in range(MOST_STATEMENTS):
            with Failing(number) as failing:
                answered = await server.token(form)
            if not failing.failed:
                break
            assert answered.status_code == 503
            assert answered.headers["retry-after"] == "5"
            assert answered.json() == AWAY
            assert await rows(server) == before
    assert number > 1
    assert answered.status_code == 200  # the same request, once the store is back


async def test_storage_down_while_a_replay_is_told_ends_the_session_at_the_next_one(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        tokens = (await server.token(redemption(code))).json()
        with Failing(0):
            assert (await server.token(redemption(code))).json() == AWAY
        assert (await server.token(redemption(code))).status_code == 400
        assert (await refresh(server, tokens["refresh_token"])).status_code == 400


async def test_storage_down_while_a_token_is_revoked_is_said(start: Start) -> None:
    """RFC 7009 section 2.2.1: the client must assume that the token still exists."""
    async with start(settings()) as server:
        form = {"token": (await sign_in(server))["refresh_token"], "client_id": "app"}
        with Failing(0):
            answered = await server.post("/oauth/revoke", form)
        assert (answered.status_code, answered.json()) == (503, AWAY)
        assert (await server.post("/oauth/revoke", form)).status_code == 200
