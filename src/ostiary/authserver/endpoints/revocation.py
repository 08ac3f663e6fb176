"""A client gives a token back. RFC 7009.

The token is a refresh token or an access token of ours, and the client's own. With either the whole session
ends: every token of it, and what it may use at identity providers. The answer is the same for tokens that are
unknown, ended or another client's, so it tells nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.json_answer import empty_answer
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.ending import EndReason, end_session
from ostiary.authserver.tokens.access_token_verifier import read_access_token, remember_revoked
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.storage.store import digest
from ostiary.transport.direct import Answer
from ostiary.transport.stepping import in_task


async def revoke(request: ClientRequest, parts: Parts) -> Answer:
    """`POST /oauth/revoke`. Raises InvalidRequest, StorageError."""
    token = request.parameters.require("token")
    await in_task(_revoke(token, request, parts))
    return empty_answer()


async def _revoke(token: str, request: ClientRequest, parts: Parts) -> None:
    kind = _revoke_access_token if is_jwt(token) else _revoke_refresh_token
    told = await kind(token, request, parts)
    if told is not None:
        parts.audit.write(
            AuditEvent.TOKEN_REVOKED, client=request.client.client_id, address=request.form.peer, **told
        )


async def _revoke_access_token(token: str, request: ClientRequest, parts: Parts) -> Mapping[str, Any] | None:
    try:
        claims = await read_access_token(token, parts, now=request.now)
    except InvalidToken:
        return None
    if claims["client_id"] != request.client.client_id:
        return None
    told = {"subject": claims["sub"], "resource": claims["aud"], "jti": claims["jti"]}
    if "tsid" in claims:
        return told if await _end(digest(claims["tsid"]), request, parts) else None
    revoked = await parts.store.transaction(lambda connection: remember_revoked(connection, claims))
    return told if revoked else None


async def _revoke_refresh_token(token: str, request: ClientRequest, parts: Parts) -> Mapping[str, Any] | None:
    store = parts.store
    presented = await store.read(lambda connection: refresh_tokens.find(connection, store, token))
    if presented is None or presented.session.client_id != request.client.client_id:
        return None
    session = presented.session
    told = {"subject": session.user_id, "resource": session.resource, "session": session.tsid_hash}
    return told if await _end(session.tsid_hash, request, parts) else None


async def _end(tsid_hash: str, request: ClientRequest, parts: Parts) -> bool:
    return await end_session(parts, tsid_hash, reason=EndReason.REVOKED, now=request.now)
