"""A client gives a token back. RFC 7009.

The token is a refresh token or an access token of ours, and the client's own. With either the whole session
ends: every token of it, and what it may use at identity providers. The answer is the same for tokens that are
unknown, ended or another client's, so it tells nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.json_answer import empty_answer
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.ending import EndReason, SessionEnder
from ostiary.authserver.tokens.access_token_verifier import AccessTokenVerifier
from ostiary.authserver.tokens.revoked_tokens import remember_revoked
from ostiary.inline_coroutines import hopping
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.storage.store import Store, digest
from ostiary.telemetry.audit import Audit
from ostiary.transport.inline_http import Answer


@dataclass(frozen=True, slots=True)
class Revocation:
    """`POST /oauth/revoke`."""

    store: Store
    verifier: AccessTokenVerifier
    ender: SessionEnder
    audit: Audit

    async def __call__(self, request: ClientRequest) -> Answer:
        """Raises InvalidRequest, StorageError."""
        token = request.parameters.require("token")
        await self._revoke(token, request)
        return empty_answer()

    @hopping  # what is found is ended, also when its client goes away
    async def _revoke(self, token: str, request: ClientRequest) -> None:
        kind = self._revoke_access_token if is_jwt(token) else self._revoke_refresh_token
        fields = await kind(token, request)
        if fields is not None:
            client_id, address = request.client.client_id, request.form.peer
            self.audit.write(AuditEvent.TOKEN_REVOKED, client=client_id, address=address, **fields)

    async def _revoke_access_token(self, token: str, request: ClientRequest) -> Mapping[str, Any] | None:
        try:
            claims = await self.verifier.read(token, now=request.now)
        except InvalidToken:
            return None
        if claims["client_id"] != request.client.client_id:
            return None
        fields = {"subject": claims["sub"], "resource": claims["aud"], "jti": claims["jti"]}
        if "tsid" in claims:
            return fields if await self._end(digest(claims["tsid"]), request) else None
        revoked = await self.store.transaction(lambda connection: remember_revoked(connection, claims))
        return fields if revoked else None

    async def _revoke_refresh_token(self, token: str, request: ClientRequest) -> Mapping[str, Any] | None:
        store = self.store
        presented = await store.read(lambda connection: refresh_tokens.find(connection, store, token))
        if presented is None or presented.session.client_id != request.client.client_id:
            return None
        session = presented.session
        fields = {"subject": session.user_id, "resource": session.resource, "session": session.tsid_hash}
        return fields if await self._end(session.tsid_hash, request) else None

    async def _end(self, tsid_hash: str, request: ClientRequest) -> bool:
        return await self.ender.end_session(tsid_hash, reason=EndReason.REVOKED, now=request.now)
