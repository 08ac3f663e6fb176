"""What a person has here, as the store has it: accounts, leave for when they are away, choices, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ostiary.authserver.interaction.interaction_state import Chosen
from ostiary.authserver.sessions.session import Session, read_row
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.authserver.upstream_grants.grant import of_user as grants_of
from ostiary.authserver.upstream_grants.offline_access import AwayPermission
from ostiary.authserver.upstream_grants.offline_access import of_user as permissions_of
from ostiary.storage.schema import idp_choices, token_sessions
from ostiary.storage.store import Store


@dataclass(frozen=True, slots=True)
class MadeChoice:
    """An account that was not connected, and why."""

    owner: str
    idp: str
    chosen: Chosen
    reason: str
    made_at: float


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A program's access, and when it was last used."""

    session: Session
    used_at: float


@dataclass(frozen=True, slots=True)
class Holdings:
    """All of it, the oldest first."""

    grants: Sequence[UpstreamGrant]
    permissions: Sequence[AwayPermission]
    choices: Sequence[MadeChoice]
    sessions: Sequence[RunningSession]

    def of(self, owner: str) -> Holdings:
        """What one owner has of it."""
        grants = [grant for grant in self.grants if grant.owner == owner]
        theirs = {grant.id for grant in grants}
        return Holdings(
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


def find_holdings(connection: Connection, store: Store, user_id: str, *, now: float) -> Holdings:
    """Of one person. Raises SealedOtherwise."""
    return Holdings(
        grants_of(connection, store, user_id),
        permissions_of(connection, user_id, now=now),
        _choices(connection, user_id),
        _sessions(connection, store, user_id, now),
    )


def _choices(connection: Connection, user_id: str) -> list[MadeChoice]:
    columns = idp_choices.c
    query = select(idp_choices).where(columns.user_id == user_id).order_by(columns.made_at)
    return [
        MadeChoice(row.owner, row.idp, Chosen(row.choice), row.reason, row.made_at)
        for row in connection.execute(query)
    ]


def _sessions(connection: Connection, store: Store, user_id: str, now: float) -> list[RunningSession]:
    columns = token_sessions.c
    query = (
        select(token_sessions)
        .where(columns.user_id == user_id, columns.ended_at.is_(None), columns.expires_at > now)
        .order_by(columns.created_at)
    )
    return [RunningSession(read_row(row, store), row.used_at) for row in connection.execute(query)]
