"""A session ends: nothing that it gave is worth anything any more, and its accounts may go.

Its row stays for a while, so that whoever keeps something of it hears of its end. What was sealed in it goes
at once: a session that ended cannot be made to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.background import Background
from ostiary.authserver.upstream_grants import session_grants
from ostiary.authserver.upstream_grants.disconnect import Disconnector
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit

_row = token_sessions.c
_GONE = (_row.tsid_hash, _row.user_id, _row.client_id, _row.owner, _row.resource)
_END = (
    update(token_sessions)
    .where(_row.tsid_hash == bindparam("which"), _row.ended_at.is_(None))
    .values(ended_at=bindparam("at"), ended_because=bindparam("why"), sealed=b"")
    .returning(*_GONE)
)


class EndReason(StrEnum):
    """Why, in a word that does not change between releases."""

    REVOKED = "revoked"
    """The client gave its token back."""
    CODE_REUSED = "code_reused"
    """Its code came twice."""
    REFRESH_REUSED = "refresh_reused"
    """One of its refresh tokens came twice."""
    PERSON_GONE = "person_gone"
    """The identity provider knows the person no more, or its grant is dead."""
    IDENTITY_CHANGED = "identity_changed"
    """Its resource has its people sign in at another provider now."""
    RESOURCE_REMOVED = "resource_removed"
    """The configuration has its resource no more, or not for its client."""
    OWNER_CHANGED = "owner_changed"
    """Its resource belongs to another workload now."""
    CLIENT_REMOVED = "client_removed"
    """Its client is known no more."""
    ENDED_BY_PERSON = "ended_by_person"
    """Its person ended it."""
    ENDED_BY_OPERATOR = "ended_by_operator"
    """An operator ended it."""
    EXPIRED = "expired"
    """Its time was over."""


_EVENTS = {
    EndReason.CODE_REUSED: AuditEvent.CODE_REUSED,
    EndReason.REFRESH_REUSED: AuditEvent.REFRESH_REUSED,
    EndReason.PERSON_GONE: AuditEvent.PERSON_GONE,
}


class SessionMustEnd(Exception):
    """A request that shows it. Raised inside a transaction, which it undoes; the end comes after."""

    def __init__(self, tsid_hash: str | None, reason: EndReason, description: str) -> None:
        super().__init__(description)
        self.tsid_hash = tsid_hash
        self.reason = reason
        self.description = description
        """For the client."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """What is left to do for it: to be written down, and its grants let go, if nothing else uses them."""

    tsid_hash: str
    reason: EndReason
    audit_fields: Mapping[str, Any]
    """As the audit names it."""
    grant_ids: tuple[str, ...]


def end(connection: Connection, tsid_hash: str, *, reason: EndReason, now: float) -> EndedSession | None:
    """End one, once; None when it has ended, or never was. `release_grants` follows the commit."""
    row = connection.execute(_END, {"which": tsid_hash, "at": now, "why": reason}).first()
    if row is None:
        return None
    grants = session_grants.grants_of(connection, [tsid_hash])
    audit_fields = {
        "subject": row.user_id,
        "client": row.client_id,
        "resource": row.resource,
        "owner": row.owner,
        "session": row.tsid_hash,
    }
    return EndedSession(tsid_hash, reason, audit_fields, tuple(grants))


def end_all(
    connection: Connection, of: ColumnElement[bool], *, reason: EndReason, now: float, most: int | None = None
) -> list[EndedSession]:
    """End those that a condition on `token_sessions` names, or so many of them."""
    query = select(_row.tsid_hash).where(_row.ended_at.is_(None), of).order_by(_row.tsid_hash).limit(most)
    found = connection.execute(query).scalars().all()
    ended = (end(connection, tsid_hash, reason=reason, now=now) for tsid_hash in found)
    return [one for one in ended if one is not None]


def end_all_of_client(
    connection: Connection, client_id: str, *, reason: EndReason, now: float, most: int | None = None
) -> list[EndedSession]:
    """Everything that people let one client do."""
    return end_all(connection, _row.client_id == client_id, reason=reason, now=now, most=most)


def end_all_of_user(
    connection: Connection, user_id: str, *, reason: EndReason, now: float, most: int | None = None
) -> list[EndedSession]:
    """Everything that a person let clients do."""
    return end_all(connection, _row.user_id == user_id, reason=reason, now=now, most=most)


def end_own(
    connection: Connection, tsid_hash: str, *, user_id: str, reason: EndReason, now: float
) -> EndedSession | None:
    """End one of a person's own; None when it has ended, is another's, or never was."""
    own = (_row.tsid_hash == tsid_hash) & (_row.user_id == user_id)
    return next(iter(end_all(connection, own, reason=reason, now=now)), None)


@dataclass(frozen=True, slots=True)
class SessionEnder:
    """Ends sessions, and what hangs on them."""

    store: Store
    audit: Audit
    disconnector: Disconnector
    background: Background

    async def end_session(self, tsid_hash: str, *, reason: EndReason, now: float) -> bool:
        """End one, and release its accounts in the background. False when it has ended, or never was.

        Raises StorageError.
        """
        ended = await self.store.transaction(
            lambda connection: end(connection, tsid_hash, reason=reason, now=now)
        )
        if ended is None:
            return False
        releasing = self.disconnector.release(self._write_ended([ended]))
        self.background.start(releasing, what="release of accounts")
        return True

    async def end_and_refuse(
        self, must: SessionMustEnd, *, client: str, address: str, now: float
    ) -> InvalidGrant:
        """End it, and give what the client is refused with. Raises StorageError."""
        event = _EVENTS.get(must.reason)
        if event is not None:
            self.audit.write(event, client=client, session=must.tsid_hash, address=address)
        if must.tsid_hash is not None:
            await self.end_session(must.tsid_hash, reason=must.reason, now=now)
        return InvalidGrant(must.description, detail=f"its session ended: {must.reason}")

    async def release_grants(self, ended: Iterable[EndedSession]) -> None:
        """After the commit: write down what ended, and release the accounts that nothing uses any more."""
        await self.disconnector.release(self._write_ended(ended))

    def _write_ended(self, ended: Iterable[EndedSession]) -> list[str]:
        """Gives the grants that they used."""
        grant_ids: dict[str, None] = {}
        for one in ended:
            self.audit.write(AuditEvent.SESSION_ENDED, **one.audit_fields, reason=str(one.reason))
            grant_ids |= dict.fromkeys(one.grant_ids)
        return list(grant_ids)
