"""Where interactions are kept. One is found by its browser alone, and two tabs never overwrite each other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.storage.expiry import Expiry
from ostiary.storage.schema import walks
from ostiary.storage.store import Store, digest

EXPIRY = Expiry(walks.c.expires_at)

_row = walks.c


@dataclass(frozen=True, slots=True)
class Interaction:
    """An interaction as it stands in the store."""

    id: str = field(repr=False)
    version: int
    state: InteractionState

    @property
    def reference(self) -> str:
        """By which its events are found together in the audit."""
        return digest(self.id)[:16]


def create_interaction(
    connection: Connection, store: Store, state: InteractionState, *, browser_hash: str, expires_at: float
) -> Interaction:
    """A new one."""
    interaction_id = secrets.token_urlsafe(32)
    key = digest(interaction_id)
    connection.execute(
        insert(walks).values(
            walk_hash=key,
            browser_hash=browser_hash,
            sealed=store.seal(state, table=walks, key=key),
            version=1,
            expires_at=expires_at,
        )
    )
    return Interaction(interaction_id, 1, state)


def find_interaction(
    connection: Connection, store: Store, interaction_id: str, *, browser_hash: str, now: float
) -> Interaction | None:
    """The interaction of this browser; None for another's, and for one that has ended or expired."""
    key = digest(interaction_id)
    found = connection.execute(
        select(_row.sealed, _row.version).where(
            _row.walk_hash == key, _row.browser_hash == browser_hash, _row.expires_at > now
        )
    ).first()
    if found is None:
        return None
    return Interaction(
        interaction_id, found.version, store.open(found.sealed, InteractionState, table=walks, key=key)
    )


def replace_state(
    connection: Connection, store: Store, interaction: Interaction, state: InteractionState
) -> Interaction | None:
    """The interaction with this state; None when it was changed or ended meanwhile."""
    key = digest(interaction.id)
    changed = connection.execute(
        update(walks)
        .where(_row.walk_hash == key, _row.version == interaction.version)
        .values(sealed=store.seal(state, table=walks, key=key), version=interaction.version + 1)
        .returning(_row.version)
    ).first()
    return None if changed is None else Interaction(interaction.id, interaction.version + 1, state)


def finish_interaction(connection: Connection, interaction: Interaction) -> bool:
    """End it, as it stands. False when it was changed or ended meanwhile: of two, one ends it."""
    taken = delete(walks).where(_row.walk_hash == digest(interaction.id), _row.version == interaction.version)
    return connection.execute(taken.returning(_row.version)).first() is not None


def delete_interaction(connection: Connection, interaction: Interaction) -> bool:
    """End it without a code, however it stands. False when it had ended."""
    dropped = delete(walks).where(_row.walk_hash == digest(interaction.id)).returning(_row.version)
    return connection.execute(dropped).first() is not None
