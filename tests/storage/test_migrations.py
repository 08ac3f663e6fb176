"""Steps that change what is there: an old store is brought up to date, and nobody loses what they have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import alembic.command
import pytest
from sqlalchemy import Connection, select, text

from ostiary.authserver.clients.registration_limit import make_room
from ostiary.oauth.server.client import ClientKind
from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.migrations.upgrade import take_steps
from ostiary.storage.schema import clients

NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR


@asynccontextmanager
async def at_revision(storage: StorageSettings, revision: str) -> AsyncIterator[Database]:
    """A store as an earlier version left it."""
    database = Database(storage)
    with pytest.MonkeyPatch.context() as earlier:
        steps = partial(take_steps, last=revision)
        earlier.setattr("ostiary.storage.database.upgrade", steps)
        await database.prepare()
    yield database
    await database.close()


def insert(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def old_client(connection: Connection, client_id: str, **values: Any) -> None:
    said = {"kind": "dynamic", "metadata": "{}", "created_at": NOW, "used_at": NOW, "expires_at": NOW + DAY}
    insert(connection, "clients", client_id=client_id, **said | values)


def old_session(connection: Connection, client_id: str, **values: Any) -> None:
    times = dict.fromkeys(("created_at", "used_at", "revalidated_at"), NOW) | {"expires_at": NOW + DAY}
    names = {"owner": "o/o", "resource": "https://r.example", "scopes": "mcp", "sealed": b""}
    row = {"tsid_hash": f"of {client_id}", "user_id": "ada", "client_id": client_id, **names, **times}
    insert(connection, "token_sessions", **row | values)


def as_an_earlier_version_left_it(connection: Connection) -> None:
    person = {"id": "ada", "issuer": "https://i.example", "subject": "ada", "sealed": b""}
    insert(connection, "users", **person, created_at=NOW, seen_at=NOW)
    old_client(connection, "never seen again")
    old_client(connection, "seen again", used_at=NOW + HOUR)
    old_client(connection, "with a session")
    old_client(connection, "with a session that ended")
    old_client(connection, "https://doc.example/client", kind="document", fresh_until=NOW + HOUR)
    old_client(connection, "the operator's", kind="registered", expires_at=None, secret_digest=b"digest")
    old_session(connection, "with a session")
    old_session(connection, "with a session that ended", ended_at=NOW + 1, ended_because="person")


async def test_whoever_used_a_client_before_the_upgrade_keeps_it_when_strangers_want_its_room(
    storage: StorageSettings,
) -> None:
    async with at_revision(storage, "0002") as old:
        await old.transaction(as_an_earlier_version_left_it)
    new = Database(storage)
    columns = (clients.c.client_id, clients.c.let_in_at, clients.c.registered_from, clients.c.secret_digest)
    rows = await new.read(lambda connection: connection.execute(select(*columns)).all())
    found: dict[str, Any] = {client_id: tuple(rest) for client_id, *rest in rows}
    assert found == {
        "never seen again": (None, None, None),
        "seen again": (NOW + HOUR, None, None),
        "with a session": (NOW, None, None),
        "with a session that ended": (NOW, None, None),
        "https://doc.example/client": (None, None, None),
        "the operator's": (None, None, b"digest"),
    }

    def crowded(connection: Connection) -> set[str]:
        make_room(connection, ClientKind.DYNAMIC, most=1, now=NOW)
        return set(connection.execute(select(clients.c.client_id)).scalars())

    assert await new.transaction(crowded) == set(found) - {"never seen again"}
    await new.close()


async def test_an_upgrade_that_is_cut_off_in_the_middle_is_done_whole_at_the_next_start(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_revision(storage, "0002") as old:
        await old.transaction(as_an_earlier_version_left_it)
    newest = alembic.command.upgrade

    def cut_off(config: Any, revision: str) -> None:
        newest(config, revision)
        raise OSError("the power went")

    killed = Database(storage)
    with monkeypatch.context() as power:
        power.setattr(alembic.command, "upgrade", cut_off)
        with pytest.raises(Exception, match="the power went"):
            await killed.prepare()
    await killed.close()
    new = Database(storage)
    let_in = select(clients.c.client_id).where(clients.c.let_in_at.is_not(None))
    found = await new.read(lambda connection: set(connection.execute(let_in).scalars()))
    assert found == {"seen again", "with a session", "with a session that ended"}
    await new.close()
