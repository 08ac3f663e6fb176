"""Which grants a session may use: it points to them, and never holds copies of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, String, bindparam, delete, insert, select

from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import session_grants, upstream_grants

_row = session_grants.c
_grant = upstream_grants.c
_POINT_TO = Prepared(insert(session_grants))
_POINT_TO_EARLIER = insert(session_grants).from_select(
    ["tsid_hash", "grant_id"],
    select(bindparam("session", type_=String), _grant.id).where(
        _grant.user_id == bindparam("user"),
        _grant.owner == bindparam("owner"),
        _grant.idp.in_(bindparam("idps", expanding=True)),
    ),
)
_OF_SESSION = select(_row.grant_id).where(_row.tsid_hash == bindparam("which"))


def point_to(connection: Connection, tsid_hash: str, grant_ids: Iterable[str]) -> None:
    """A new session may use them."""
    for grant_id in dict.fromkeys(grant_ids):
        _POINT_TO.run(connection, {"tsid_hash": tsid_hash, "grant_id": grant_id})


def point_to_earlier(
    connection: Connection, tsid_hash: str, *, user_id: str, owner: str, idps: Sequence[str]
) -> None:
    """A new session may use what its person gave its owner before, at these providers."""
    whose = {"session": tsid_hash, "user": user_id, "owner": owner, "idps": idps}
    connection.execute(_POINT_TO_EARLIER, whose)


def share(connection: Connection, grant_id: str, tsid_hashes: Sequence[str]) -> None:
    """Sessions that run may use it, too."""
    rows = [{"tsid_hash": tsid_hash, "grant_id": grant_id} for tsid_hash in tsid_hashes]
    if rows:
        connection.execute(insert_or_ignore(connection, session_grants), rows)


def move(connection: Connection, grant_ids: Sequence[str], *, to: str) -> None:
    """Every session that may use one of them may use another one instead."""
    pointed = _row.grant_id.in_(grant_ids)
    sessions = select(_row.tsid_hash, bindparam("to", to, type_=String)).where(pointed)
    point = insert_or_ignore(connection, session_grants)
    connection.execute(point.from_select(["tsid_hash", "grant_id"], sessions.distinct()))
    connection.execute(delete(session_grants).where(pointed))


def grants_of(connection: Connection, tsid_hashes: Sequence[str]) -> list[str]:
    """The ids of all that these sessions may use."""
    if len(tsid_hashes) == 1:
        return list(connection.execute(_OF_SESSION, {"which": tsid_hashes[0]}).scalars().all())
    several = select(_row.grant_id).where(_row.tsid_hash.in_(tsid_hashes)).distinct()
    return list(connection.execute(several).scalars().all())


def forget_sessions(connection: Connection, tsid_hashes: Sequence[str]) -> None:
    """They are known no more."""
    connection.execute(delete(session_grants).where(_row.tsid_hash.in_(tsid_hashes)))
