"""Access tokens without a session that were revoked before their time. RFC 7009."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ostiary.storage.expiry import Expiry
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import revoked_tokens
from ostiary.storage.store import digest

EXPIRY = Expiry(revoked_tokens.c.expires_at)

_row = revoked_tokens.c
_FIND = Prepared(select(_row.jti_hash).where(_row.jti_hash == bindparam("which")))


def is_revoked(connection: Connection, claims: Mapping[str, Any]) -> bool:
    """Whether this token was."""
    return _FIND.first(connection, {"which": digest(claims["jti"])}) is not None


def remember_revoked(connection: Connection, claims: Mapping[str, Any]) -> bool:
    """Revoke it. False when it was revoked already."""
    row = {"jti_hash": digest(claims["jti"]), "expires_at": float(claims["exp"])}
    statement = insert_or_ignore(connection, revoked_tokens).values(row)
    return connection.execute(statement.returning(_row.jti_hash)).first() is not None
