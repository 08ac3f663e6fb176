"""People: an upstream issuer and the subject there, and nothing else, make one. No linking by e-mail."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from ostiary.authserver.upstream_account import Identity
from ostiary.storage.inserts import prepared_insert
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import users
from ostiary.storage.store import Store

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningInsert

    from ostiary.storage.inserts import Insert

_row = users.c


def _upsert(insert: Insert) -> ReturningInsert[tuple[str, str, str, bytes]]:
    """Insert, or note that they were seen; the one row that there is then, with the seal that it had."""
    upsert = insert.on_conflict_do_update(
        index_elements=[_row.issuer, _row.subject], set_={"seen_at": insert.excluded.seen_at}
    )
    return upsert.returning(_row.id, _row.issuer, _row.subject, _row.sealed)


_SIGN_IN = prepared_insert(users, _upsert)
_UPDATE = Prepared(update(users).where(_row.id == bindparam("which")))
_FIND = select(_row.id, _row.issuer, _row.subject, _row.sealed)


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What people read of somebody, as it was when they last signed in."""

    name: str | None = None
    email: str | None = None

    @property
    def display_name(self) -> str | None:
        """The name, else the address."""
        return self.name or self.email


def find_or_create_user(connection: Connection, store: Store, identity: Identity, *, now: float) -> str:
    """Who this is, here: our subject, made at the first time. now: seconds since the epoch.

    What people read of them stays when nothing of it is said, as in most assertions. Raises SealedOtherwise:
    whoever signs in as somebody whose row was changed is nobody here.
    """
    profile = Profile(identity.name, identity.email)
    new = {"id": str(uuid.uuid4()), "issuer": identity.issuer, "subject": identity.subject}
    sealed = store.seal(profile, table=users, row=new)
    row = _SIGN_IN.first(connection, {**new, "sealed": sealed, "created_at": now, "seen_at": now})
    if row.id != new["id"]:
        known = store.open(row.sealed, Profile, table=users, row=row)
        if profile.display_name and profile != known:
            sealed = store.seal(profile, table=users, row=new | {"id": row.id})
            _UPDATE.run(connection, {"which": row.id, "sealed": sealed})
    return str(row.id)


def find_user(connection: Connection, store: Store, identity: Identity) -> str | None:
    """Who this is, here; None for somebody who never signed in. Raises SealedOtherwise."""
    wanted = _FIND.where(_row.issuer == identity.issuer, _row.subject == identity.subject)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    store.check_row(row.sealed, table=users, row=row)
    return str(row.id)


def is_user(connection: Connection, store: Store, user_id: str, identity: Identity) -> bool:
    """Whether this is who the user is. Raises SealedOtherwise."""
    return find_user(connection, store, identity) == user_id


def lock(connection: Connection, user_id: str) -> None:
    """Whoever signs in as this user waits until the transaction has ended."""
    connection.execute(select(_row.id).where(_row.id == user_id).with_for_update())


def find_profile(connection: Connection, store: Store, user_id: str) -> Profile | None:
    """What people read of a user; None for nobody. Raises SealedOtherwise."""
    row = connection.execute(_FIND.where(_row.id == user_id)).first()
    return None if row is None else store.open(row.sealed, Profile, table=users, row=row)
