"""One sign-in: what a client may do for a person at one resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ostiary.authserver.upstream_account import Identity
from ostiary.oauth.server.scope import read_scope, write_scope
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store
from ostiary.unseen import Unseen

_row = token_sessions.c
_FIND = Prepared(select(token_sessions).where(_row.tsid_hash == bindparam("which")))


class SessionSecret(Unseen, frozen=True, omit_defaults=True):
    """What of a session is sealed."""

    tsid: str
    """What its tokens carry: 256 random bits."""
    identity: Identity
    """Who signed in, with the claims that were taken then."""
    auth_time: int
    idp: str | None = None
    """The entry at which they did; None when nobody signed in at one."""
    grant_id: str | None = None
    """The identity's upstream grant: what is asked whether the person still exists."""
    vouched_by: str | None = None
    """The trusted issuer whose assertion began it, and whose next one lets it go on; None for a sign-in."""
    confirmation: dict[str, str] | None = None
    """The key that its refresh tokens are bound to, for a public client that proved one (RFC 9449 5)."""


_FORGOTTEN = SessionSecret("", Identity("", ""), 0)
"""What is left when a session has ended: its seal is gone, so that nobody can have it go on."""


class Session(Unseen, frozen=True):
    """A token session as it is stored; times in seconds since the epoch."""

    tsid_hash: str
    user_id: str
    """The `sub` of its tokens."""
    client_id: str
    owner: str
    resource: str
    """Canonical."""
    scopes: tuple[str, ...]
    secret: SessionSecret
    """Of an ended one, nothing."""
    created_at: float
    revalidated_at: float
    """When its person last proved to exist."""
    expires_at: float
    """When it ends by itself: with its last token, and at the latest when its person has to sign in again."""
    ended_at: float | None = None

    def lives(self, now: float) -> bool:
        """Whether its tokens are worth anything."""
        return self.ended_at is None and now < self.expires_at

    @property
    def person(self) -> dict[str, Any]:
        """What is known of who signed in, by the names of claims."""
        identity = self.secret.identity
        known: dict[str, Any] = {}
        if identity.name is not None:
            known["name"] = identity.name
        if identity.email is not None:
            known |= {"email": identity.email, "email_verified": identity.email_verified}
        return known | identity.claims

    @property
    def audit_fields(self) -> Mapping[str, Any]:
        """As the audit names it."""
        return {
            "subject": self.user_id,
            "client": self.client_id,
            "resource": self.resource,
            "owner": self.owner,
            "session": self.tsid_hash,
        }


def find(connection: Connection, store: Store, tsid_hash: str) -> Session | None:
    """A session, ended or not. Raises SealedOtherwise."""
    row = _FIND.first(connection, {"which": tsid_hash})
    return None if row is None else read_row(row, store)


def is_live(connection: Connection, store: Store, tsid_hash: str, *, now: float) -> bool:
    """Whether its tokens are worth anything. Raises SealedOtherwise."""
    session = find(connection, store, tsid_hash)
    return session is not None and session.lives(now)


def read_row(row: Any, store: Store) -> Session:
    """The session in a row that has the columns of `token_sessions`. Raises SealedOtherwise."""
    ended = row.ended_at is not None
    return Session(
        row.tsid_hash,
        row.user_id,
        row.client_id,
        row.owner,
        row.resource,
        read_scope(row.scopes),
        _FORGOTTEN if ended else store.open(row.sealed, SessionSecret, table=token_sessions, row=row),
        row.created_at,
        row.revalidated_at,
        row.expires_at,
        row.ended_at,
    )


def seal_session(session: Session, store: Store) -> dict[str, Any]:
    """What its row says, but for when it was used, with the seal on it."""
    row: dict[str, Any] = {
        "tsid_hash": session.tsid_hash,
        "user_id": session.user_id,
        "client_id": session.client_id,
        "owner": session.owner,
        "resource": session.resource,
        "scopes": write_scope(session.scopes),
        "created_at": session.created_at,
        "revalidated_at": session.revalidated_at,
        "expires_at": session.expires_at,
    }
    return row | {"sealed": store.seal(session.secret, table=token_sessions, row=row)}
