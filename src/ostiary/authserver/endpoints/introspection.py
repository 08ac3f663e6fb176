"""What a token is worth now, for who may ask. RFC 7662.

Who may ask: a client that proves who it is, about its own tokens, and one that the operator registered for a
resource by name (`resources:` of its entry), about that resource's access tokens: that is how a resource
server asks. To everybody else every token looks like one that was never given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.tokens.access_token_verifier import AccessTokenVerifier, is_live
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidClient
from ostiary.oauth.server.introspection import INACTIVE, active_answer
from ostiary.oauth.server.refresh_rotation import Rotate, decide
from ostiary.oauth.server.scope import write_scope
from ostiary.storage.store import Store
from ostiary.transport.inline_http import Answer


@dataclass(frozen=True, slots=True)
class Introspection:
    """`POST /oauth/introspect`. issuer: our name."""

    issuer: str
    store: Store
    verifier: AccessTokenVerifier

    async def __call__(self, request: ClientRequest) -> Answer:
        """Raises InvalidRequest, InvalidClient, StorageError."""
        if request.client.is_public:
            raise InvalidClient("only a client that proves who it is may ask about tokens")
        token = request.parameters.require("token")
        about = self._access_token if is_jwt(token) else self._refresh_token
        return json_answer(await about(token, request) or INACTIVE)

    async def _access_token(self, token: str, request: ClientRequest) -> Mapping[str, Any] | None:
        now = request.now
        try:
            claims = await self.verifier.read(token, now=now)
        except InvalidToken:
            return None
        if not _may_ask(request.client, claims):
            return None
        store = self.store
        lives = await store.read(lambda connection: is_live(connection, store, claims, now=now))
        return active_answer(claims) if lives else None

    async def _refresh_token(self, token: str, request: ClientRequest) -> Mapping[str, Any] | None:
        store = self.store
        presented = await store.read(lambda connection: refresh_tokens.find(connection, store, token))
        if presented is None or presented.session.client_id != request.client.client_id:
            return None
        if not isinstance(decide(presented.state, now=request.now, grace=0), Rotate):
            return None
        session = presented.session
        claims = {
            "iss": self.issuer,
            "sub": session.user_id,
            "client_id": session.client_id,
            "scope": write_scope(session.scopes),
            "iat": int(presented.issued_at),
            "exp": int(presented.expires_at),
        }
        return active_answer(claims, token_type="N_A")  # noqa: S106 - a refresh token is not sent to resources


def _may_ask(client: Client, claims: Mapping[str, Any]) -> bool:
    if claims["client_id"] == client.client_id:
        return True
    return client.is_preregistered and claims["aud"] in (client.allowed_resources or ())
