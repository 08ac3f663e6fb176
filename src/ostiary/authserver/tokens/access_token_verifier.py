"""Our own access tokens, read back: proven by our key, in time, and not revoked. RFC 9068 section 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ostiary.authserver.services import Parts
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import check_claims
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.access_token import TYPE, require_access_token
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import revoked_tokens, token_sessions
from ostiary.storage.store import digest, insert_or_ignore
from ostiary.transport.stepping import in_task

_session = token_sessions.c
_LIVES = Prepared(
    select(_session.tsid_hash).where(
        _session.tsid_hash == bindparam("which"),
        _session.ended_at.is_(None),
        _session.expires_at > bindparam("at"),
    )
)
_REVOKED = Prepared(select(revoked_tokens.c.jti_hash).where(revoked_tokens.c.jti_hash == bindparam("which")))


async def read_access_token(token: str, parts: Parts, *, now: float) -> Mapping[str, Any]:
    """What it claims. Whether it was revoked, `is_live` says. Raises InvalidToken, StorageError.

    It may be awaited without a task.
    """
    claims = parts.proven.claims(token, parts.signing.key_set()) or await _prove(token, parts)
    check_claims(claims, issuers={parts.issuer}, audiences={str(claims.get("aud"))}, now=now)
    if now >= claims["exp"]:
        raise InvalidToken("the token has expired", reason=Refusal.EXPIRED)
    return claims


async def _prove(token: str, parts: Parts) -> Mapping[str, Any]:
    jwt = read_jwt(token)
    require_access_token(jwt.claims, jwt.typ, required_typ=TYPE)
    if jwt.kid is None:
        raise InvalidToken("the token does not name its key", reason=Refusal.UNKNOWN_KID)
    keys = parts.signing.key_set()
    if not keys.has(jwt.kid):
        keys = await in_task(parts.signing.key_set_with(jwt.kid))
    return parts.proven.remember(token, jwt.kid, verify(jwt, keys))


def is_live(connection: Connection, claims: Mapping[str, Any], *, now: float) -> bool:
    """Whether its session lives, or for a token without one: whether it was not revoked itself."""
    if "tsid" in claims:
        which = {"which": digest(claims["tsid"]), "at": now}
        return _LIVES.first(connection, which) is not None
    return _REVOKED.first(connection, {"which": digest(claims["jti"])}) is None


def remember_revoked(connection: Connection, claims: Mapping[str, Any]) -> bool:
    """Revoke a token without a session. False when it was revoked already."""
    row = {"jti_hash": digest(claims["jti"]), "expires_at": float(claims["exp"])}
    statement = insert_or_ignore(connection, revoked_tokens).values(row)
    return connection.execute(statement.returning(revoked_tokens.c.jti_hash)).first() is not None
