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
from ostiary.authserver.services import Services
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.ending import EndReason, end_session
from ostiary.authserver.tokens.access_token_verifier import read_access_token
from ostiary.authserver.tokens.revoked_tokens import remember_revoked
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.storage.store import digest
from ostiary.transport.direct import Answer
from ostiary.transport.stepping import in_task


async def revoke(request: ClientRequest, services: Services) -> Answer:
    """`POST /oauth/revoke`. Raises InvalidRequest, StorageError."""
    token = request.parameters.require("token")
    await in_task(_revoke(token, request, services))
    return empty_answer()


async def _revoke(token: str, request: ClientRequest, services: Services) -> None:
    kind = _revoke_access_token if is_jwt(token) else _revoke_refresh_token
    audit_fields = await kind(token, request, services)
    if audit_fields is not None:
        services.audit.write(
            AuditEvent.TOKEN_REVOKED,
            client=request.client.client_id,
            address=request.form.peer,
            **audit_fields,
        )


async def _revoke_access_token(
    token: str, request: ClientRequest, services: Services
) -> Mapping[str, Any] | None:
    try:
        claims = await read_access_token(token, services, now=request.now)
    except InvalidToken:
        return None
    if claims["client_id"] != request.client.client_id:
        return None
    audit_fields = {"subject": claims["sub"], "resource": claims["aud"], "jti": claims["jti"]}
    if "tsid" in claims:
        return audit_fields if await _end(digest(claims["tsid"]), request, services) else None
    revoked = await services.store.transaction(lambda connection: remember_revoked(connection, claims))
    return audit_fields if revoked else None


async def _revoke_refresh_token(
    token: str, request: ClientRequest, services: Services
) -> Mapping[str, Any] | None:
    store = services.store
    presented = await store.read(lambda connection: refresh_tokens.find(connection, store, token))
    if presented is None or presented.session.client_id != request.client.client_id:
        return None
    session = presented.session
    audit_fields = {"subject": session.user_id, "resource": session.resource, "session": session.tsid_hash}
    return audit_fields if await _end(session.tsid_hash, request, services) else None


async def _end(tsid_hash: str, request: ClientRequest, services: Services) -> bool:
    return await end_session(services, tsid_hash, reason=EndReason.REVOKED, now=request.now)
