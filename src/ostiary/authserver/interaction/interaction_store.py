"""Where interactions are kept. One is found by its browser alone, and two tabs never overwrite each other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

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
    browser_hash: str
    version: int
    expires_at: float
    state: InteractionState

    @property
    def reference(self) -> str:
        """By which its events are found together in the audit."""
        return digest(self.id)[:16]


def create_interaction(
    connection: Connection, store: Store, state: InteractionState, *, browser_hash: str, expires_at: float
) -> Interaction:
    """A new one."""
    interaction = Interaction(secrets.token_urlsafe(32), browser_hash, 1, expires_at, state)
    connection.execute(insert(walks), _sealed_row(interaction, store))
    return interaction


def find_interaction(
    connection: Connection, store: Store, interaction_id: str, *, browser_hash: str, now: float
) -> Interaction | None:
    """The interaction of this browser; None for another's, and for one that has ended or expired."""
    found = connection.execute(
        select(walks).where(
            _row.walk_hash == digest(interaction_id), _row.browser_hash == browser_hash, _row.expires_at > now
        )
    ).first()
    if found is None:
        return None
    state = store.open(found.sealed, InteractionState, table=walks, row=found)
    return Interaction(interaction_id, browser_hash, found.version, found.expires_at, state)


def replace_state(
    connection: Connection, store: Store, interaction: Interaction, state: InteractionState
) -> Interaction | None:
    """The interaction with this state; None when it was changed or ended meanwhile."""
    changed = replace(interaction, version=interaction.version + 1, state=state)
    row = _sealed_row(changed, store)
    done = connection.execute(
        update(walks)
        .where(_row.walk_hash == row["walk_hash"], _row.version == interaction.version)
        .values(sealed=row["sealed"], version=changed.version)
        .returning(_row.version)
    ).first()
    return None if done is None else changed


def finish_interaction(connection: Connection, interaction: Interaction) -> bool:
    """End it, as it stands. False when it was changed or ended meanwhile: of two, one ends it."""
    taken = delete(walks).where(_row.walk_hash == digest(interaction.id), _row.version == interaction.version)
    return connection.execute(taken.returning(_row.version)).first() is not None


def delete_interaction(connection: Connection, interaction: Interaction) -> bool:
    """End it without a code, however it stands. False when it had ended."""
    dropped = delete(walks).where(_row.walk_hash == digest(interaction.id)).returning(_row.version)
    return connection.execute(dropped).first() is not None


def _sealed_row(interaction: Interaction, store: Store) -> dict[str, Any]:
    row: dict[str, Any] = {
        "walk_hash": digest(interaction.id),
        "browser_hash": interaction.browser_hash,
        "version": interaction.version,
        "expires_at": interaction.expires_at,
    }
    return row | {"sealed": store.seal(interaction.state, table=walks, row=row)}
