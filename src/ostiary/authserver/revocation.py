"""A client gives a token back. RFC 7009.

The token is a refresh token or an access token of ours, and the client's own. With either the whole session
ends: every token of it, and what it may use at identity providers. The answer is the same for tokens that are
unknown, ended or another client's, so it tells nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import empty_answer
from ostiary.authserver.own_tokens import read_access_token, revoke
from ostiary.authserver.parts import Parts
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.ending import EndReason, end_session
from ostiary.oauth.client import Client
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.storage.store import digest
from ostiary.transport.direct import Answer
from ostiary.transport.stepping import in_task


class RevocationEndpoint:
    """`POST /oauth/revoke`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises InvalidRequest, InvalidClient, TooManyRequests, StorageError."""
        parts = self._parts
        now = parts.clock()
        client = await parts.authenticator.authenticate(form, now=now)
        parts.rates.token.take(client.client_id, form.peer, now=now)
        token = form.parameters.require("token")
        await in_task(self._revoke(token, client, form.peer, now))
        return empty_answer()

    async def _revoke(self, token: str, client: Client, address: str, now: float) -> None:
        if is_jwt(token):
            told = await self._revoke_access_token(token, client, now)
        else:
            told = await self._revoke_refresh_token(token, client, now)
        if told is not None:
            self._parts.audit.write(
                AuditEvent.TOKEN_REVOKED, client=client.client_id, address=address, **told
            )

    async def _revoke_access_token(self, token: str, client: Client, now: float) -> Mapping[str, Any] | None:
        try:
            claims = await read_access_token(token, self._parts, now=now)
        except InvalidToken:
            return None
        if claims["client_id"] != client.client_id:
            return None
        told = {"subject": claims["sub"], "resource": claims["aud"], "jti": claims["jti"]}
        if "tsid" in claims:
            return told if await self._end(digest(claims["tsid"]), now) else None
        revoked = await self._parts.store.transaction(lambda connection: revoke(connection, claims))
        return told if revoked else None

    async def _revoke_refresh_token(self, token: str, client: Client, now: float) -> Mapping[str, Any] | None:
        store = self._parts.store
        presented = await store.read(lambda connection: refresh_tokens.find(connection, store, token))
        if presented is None or presented.session.client_id != client.client_id:
            return None
        session = presented.session
        told = {"subject": session.user_id, "resource": session.resource, "session": session.tsid_hash}
        return told if await self._end(session.tsid_hash, now) else None

    async def _end(self, tsid_hash: str, now: float) -> bool:
        return await end_session(self._parts, tsid_hash, reason=EndReason.REVOKED, now=now)
