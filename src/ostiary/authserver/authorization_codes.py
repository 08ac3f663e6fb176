"""Authorization codes: made once, redeemed once. RFC 6749 section 4.1.2.

What a code stands for is sealed in its row, upstream tokens included, until it is redeemed. Then the tokens
move on, and of the code only so much is left that a second redemption is known for what it is.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.storage.expiry import Expiry
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import codes
from ostiary.storage.store import Store, digest
from ostiary.unseen import Unseen

REMEMBERED = 24 * 3600.0
"""Seconds for which a redeemed code is known, and its replay ends what it gave."""

EXPIRY = Expiry(codes.c.kept_until)

_row = codes.c
_INSERT = Prepared(insert(codes))
_FIND = Prepared(select(codes).where(_row.code_hash == bindparam("which")))
_CONSUME = Prepared(
    update(codes)
    .where(_row.code_hash == bindparam("which"), _row.redeemed_at.is_(None))
    .values(
        redeemed_at=bindparam("at"),
        tsid_hash=bindparam("gives"),
        sealed=bindparam("left"),
        kept_until=bindparam("until"),
    )
)


class StoredCode(Unseen, frozen=True):
    """A code of ours that somebody presents. Whether it is theirs is the grant's to check."""

    code_hash: str
    grant: AuthorizationGrant
    """Without tokens when it was redeemed."""
    expires_at: float
    redeemed_at: float | None
    tsid_hash: str | None
    """The session that it gave."""

    @property
    def is_redeemed(self) -> bool:
        """Whether it gave one."""
        return self.redeemed_at is not None


def new_code(
    connection: Connection, store: Store, grant: AuthorizationGrant, *, now: float, lifetime: float
) -> str:
    """A code for what a person agreed to. now: seconds since the epoch; lifetime: seconds."""
    code = secrets.token_urlsafe(32)
    code_hash = digest(code)
    row: dict[str, Any] = {
        "code_hash": code_hash,
        "client_id": grant.client_id,
        "expires_at": now + lifetime,
        "redeemed_at": None,
        "tsid_hash": None,
        "kept_until": now + lifetime,
    }
    _INSERT.run(connection, row | {"sealed": store.seal(grant, table=codes, row=row)})
    return code


def find_code(connection: Connection, store: Store, code: str) -> StoredCode | None:
    """What a code stands for; None when we never gave it, or forgot it long ago. Raises SealedOtherwise."""
    code_hash = digest(code)
    row = _FIND.first(connection, {"which": code_hash})
    if row is None:
        return None
    grant = store.open(row.sealed, AuthorizationGrant, table=codes, row=row)
    return StoredCode(code_hash, grant, row.expires_at, row.redeemed_at, row.tsid_hash)


def consume(connection: Connection, store: Store, code: StoredCode, *, tsid_hash: str, now: float) -> bool:
    """Redeem it for a session, once. False when somebody else did so just now."""
    what_is_left = msgspec.structs.replace(code.grant, accounts=())
    row = {
        "code_hash": code.code_hash,
        "client_id": code.grant.client_id,
        "expires_at": code.expires_at,
        "redeemed_at": now,
        "tsid_hash": tsid_hash,
        "kept_until": now + REMEMBERED,
    }
    marked = {
        "which": code.code_hash,
        "at": now,
        "gives": tsid_hash,
        "left": store.seal(what_is_left, table=codes, row=row),
        "until": now + REMEMBERED,
    }
    return _CONSUME.changed(connection, marked) == 1
