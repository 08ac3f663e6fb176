"""Room for one more client of strangers: those that nobody ever let in make it, the oldest first.

To come costs a stranger nothing, and to be let in takes a person. So what came in vain gives way, and nothing
that somebody uses does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from ostiary.oauth.server.client import ClientKind
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import clients, token_sessions

_row = clients.c
_LET_IN = Prepared(
    update(clients)
    .where(_row.client_id == bindparam("which"), _row.let_in_at.is_(None))
    .values(let_in_at=bindparam("at"))
)


def let_in(connection: Connection, client_id: str, *, now: float) -> None:
    """Somebody let this client in: it stays for as long as it is used."""
    _LET_IN.run(connection, {"which": client_id, "at": now})


def is_let_in_by_now(now: float) -> ColumnElement[float | None]:
    """When a client was let in, also by a replica that did not write it down: then it has a session."""
    has_session = exists().where(
        token_sessions.c.client_id == _row.client_id, token_sessions.c.ended_at.is_(None)
    )
    return case((_row.let_in_at.is_(None) & has_session, now), else_=_row.let_in_at)


def make_room(connection: Connection, kind: ClientKind, *, most: int, now: float) -> None:
    """Room for one of `most` of a kind, as far as those make it that ended or that nobody let in."""
    connection.execute(delete(clients).where(_row.expires_at <= now))
    of_kind = _row.kind == kind
    _remove(connection, of_kind, _count(connection, of_kind) - most + 1)


def make_room_of_address(connection: Connection, kind: ClientKind, address: str, *, most: int) -> None:
    """The same among those that came from one address and were not let in: others do not make it for them."""
    from_there = (_row.kind == kind) & (_row.registered_from == address) & _row.let_in_at.is_(None)
    _remove(connection, from_there, _count(connection, from_there) - most + 1)


def add_within(
    connection: Connection, row: Mapping[str, Any], *, most: int, of_address: int, now: float
) -> bool:
    """Add a client where there is room for one more of its kind and of its address; whether there was.

    One statement counts and inserts, after those that ended or that nobody let in made room.
    """
    kind = ClientKind(row["kind"])
    make_room_of_address(connection, kind, row["registered_from"], most=of_address)
    make_room(connection, kind, most=most, now=now)
    count = select(func.count()).select_from(clients).where(_row.kind == kind).scalar_subquery()
    values = select(*(literal(value, _row[name].type) for name, value in row.items()))
    adding = insert(clients).from_select(list(row), values.where(count < most))
    return connection.execute(adding).rowcount == 1


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(clients).where(which)).scalar_one()


def _remove(connection: Connection, which: ColumnElement[bool], number: int) -> None:
    if number <= 0:
        return
    in_vain = _row.let_in_at.is_(None)
    oldest = select(_row.client_id).where(which, in_vain).order_by(_row.created_at).limit(number)
    # Twice: PostgreSQL looks again at a row that changed while it waited, and not at what is selected in it.
    connection.execute(delete(clients).where(_row.client_id.in_(oldest), in_vain))
