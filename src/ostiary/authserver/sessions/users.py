"""People: an upstream issuer and the subject there, and nothing else, make one. No linking by e-mail."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, bindparam, select

from ostiary.authserver.upstream_account import Identity
from ostiary.storage.inserts import prepared_insert
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import users
from ostiary.storage.store import Store

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningInsert

    from ostiary.storage.inserts import Insert

_row = users.c


def _upsert(*seen: str) -> Prepared:
    """Insert, or bring up to date what is seen; the id of the one row that there is then."""

    def finished(insert: Insert) -> ReturningInsert[tuple[str]]:
        values = {name: insert.excluded[name] for name in seen}
        upsert = insert.on_conflict_do_update(index_elements=[_row.issuer, _row.subject], set_=values)
        return upsert.returning(_row.id)

    return prepared_insert(users, finished)


_SIGN_IN = _upsert("sealed", "seen_at")
_SEEN = _upsert("seen_at")
_FIND = select(_row.issuer, _row.subject, _row.sealed).where(_row.id == bindparam("which"))


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What people read of somebody, as it was when they last signed in."""

    name: str | None = None
    email: str | None = None

    @property
    def display_name(self) -> str | None:
        """The name, else the address."""
        return self.name or self.email


def sign_in(connection: Connection, store: Store, identity: Identity, *, now: float) -> str:
    """Who this is, here: our subject, made at the first time. now: seconds since the epoch.

    What people read of them stays when nothing of it is said, as in most assertions.
    """
    profile = Profile(identity.name, identity.email)
    row = {
        "id": str(uuid.uuid4()),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "sealed": store.seal(profile, table=users, key=_place(identity.issuer, identity.subject)),
        "created_at": now,
        "seen_at": now,
    }
    statement = _SIGN_IN if profile.display_name else _SEEN
    return str(statement.first(connection, row).id)


def find_user(connection: Connection, identity: Identity) -> str | None:
    """Who this is, here; None for somebody who never signed in."""
    wanted = select(_row.id).where(_row.issuer == identity.issuer, _row.subject == identity.subject)
    return connection.execute(wanted).scalar_one_or_none()


def is_user(connection: Connection, user_id: str, identity: Identity) -> bool:
    """Whether this is who the user is."""
    return find_user(connection, identity) == user_id


def lock(connection: Connection, user_id: str) -> None:
    """Whoever signs in as this user waits until the transaction has ended."""
    connection.execute(select(_row.id).where(_row.id == user_id).with_for_update())


def find_profile(connection: Connection, store: Store, user_id: str) -> Profile | None:
    """What people read of a user; None for nobody."""
    row = connection.execute(_FIND, {"which": user_id}).first()
    if row is None:
        return None
    return store.open(row.sealed, Profile, table=users, key=_place(row.issuer, row.subject))


def _place(issuer: str, subject: str) -> str:
    """What a profile is sealed for: its id is not known before the row is written."""
    return f"{issuer} {subject}"
