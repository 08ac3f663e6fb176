"""What a person has here, as the store has it: accounts, leave for when they are away, choices, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver.interaction.skip_choices import MadeChoice, choices_of_user
from ostiary.authserver.sessions.listing import RunningSession, running_sessions
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.authserver.upstream_grants.grant import of_user as grants_of
from ostiary.authserver.upstream_grants.offline_access import OfflineAccessPermission
from ostiary.authserver.upstream_grants.offline_access import of_user as permissions_of
from ostiary.storage.store import Store


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of it, the oldest first."""

    grants: Sequence[UpstreamGrant]
    permissions: Sequence[OfflineAccessPermission]
    choices: Sequence[MadeChoice]
    sessions: Sequence[RunningSession]

    def of(self, owner: str) -> Inventory:
        """What one owner has of it."""
        grants = [grant for grant in self.grants if grant.owner == owner]
        theirs = {grant.id for grant in grants}
        return Inventory(
            grants,
            [permission for permission in self.permissions if permission.grant_id in theirs],
            [choice for choice in self.choices if choice.owner == owner],
            [running for running in self.sessions if running.session.owner == owner],
        )

    @property
    def owners(self) -> list[str]:
        """Whoever has something."""
        owned = [running.session.owner for running in self.sessions] + [grant.owner for grant in self.grants]
        return list(dict.fromkeys(owned))

    @property
    def client_ids(self) -> set[str]:
        """Of all programs that have access, or leave."""
        return {running.session.client_id for running in self.sessions} | {
            permission.client_id for permission in self.permissions
        }


def find_inventory(connection: Connection, store: Store, user_id: str, *, now: float) -> Inventory:
    """Of one person. Raises SealedOtherwise."""
    return Inventory(
        grants_of(connection, store, user_id),
        permissions_of(connection, store, user_id, now=now),
        choices_of_user(connection, user_id),
        running_sessions(connection, store, user_id, now=now),
    )
