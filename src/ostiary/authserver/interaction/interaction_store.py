"""Where walks are kept. A walk is found by its browser alone, and two tabs never overwrite each other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.storage.schema import walks
from ostiary.storage.store import Store, digest

_row = walks.c


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk as it stands in the store."""

    id: str = field(repr=False)
    version: int
    record: WalkRecord

    @property
    def reference(self) -> str:
        """By which its events are found together in the audit."""
        return digest(self.id)[:16]


def make_walk(
    connection: Connection, store: Store, record: WalkRecord, *, browser_hash: str, expires_at: float
) -> Walk:
    """A new one."""
    walk_id = secrets.token_urlsafe(32)
    key = digest(walk_id)
    connection.execute(
        insert(walks).values(
            walk_hash=key,
            browser_hash=browser_hash,
            sealed=store.seal(record, table=walks, key=key),
            version=1,
            expires_at=expires_at,
        )
    )
    return Walk(walk_id, 1, record)


def find_walk(
    connection: Connection, store: Store, walk_id: str, *, browser_hash: str, now: float
) -> Walk | None:
    """The walk of this browser; None for another's, and for one that has ended or expired."""
    key = digest(walk_id)
    found = connection.execute(
        select(_row.sealed, _row.version).where(
            _row.walk_hash == key, _row.browser_hash == browser_hash, _row.expires_at > now
        )
    ).first()
    if found is None:
        return None
    return Walk(walk_id, found.version, store.open(found.sealed, WalkRecord, table=walks, key=key))


def change_walk(connection: Connection, store: Store, walk: Walk, record: WalkRecord) -> Walk | None:
    """The walk with this record; None when it was changed or ended meanwhile."""
    key = digest(walk.id)
    changed = connection.execute(
        update(walks)
        .where(_row.walk_hash == key, _row.version == walk.version)
        .values(sealed=store.seal(record, table=walks, key=key), version=walk.version + 1)
        .returning(_row.version)
    ).first()
    return None if changed is None else Walk(walk.id, walk.version + 1, record)


def take_walk(connection: Connection, walk: Walk) -> bool:
    """End it, as it stands. False when it was changed or ended meanwhile: of two, one ends it."""
    taken = delete(walks).where(_row.walk_hash == digest(walk.id), _row.version == walk.version)
    return connection.execute(taken.returning(_row.version)).first() is not None


def drop_walk(connection: Connection, walk: Walk) -> bool:
    """End it without a code, however it stands. False when it had ended."""
    dropped = delete(walks).where(_row.walk_hash == digest(walk.id)).returning(_row.version)
    return connection.execute(dropped).first() is not None
