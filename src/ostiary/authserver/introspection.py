"""What a token is worth now, for who may ask. RFC 7662.

Who may ask: a client that proves who it is, about its own tokens, and one that the operator registered for a
resource by name (`resources:` of its entry), about that resource's access tokens: that is how a resource
server asks. To everybody else every token looks like one that was never given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.own_tokens import is_live, read_access_token
from ostiary.authserver.parts import Parts
from ostiary.authserver.sessions import refresh_tokens
from ostiary.oauth.client import Client
from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.introspection import INACTIVE, active_answer
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.oauth.refresh_rotation import Rotate, decide
from ostiary.oauth.scope import write_scope
from ostiary.oauth.server_errors import InvalidClient
from ostiary.transport.direct import Answer
from ostiary.transport.stepping import in_task


class IntrospectionEndpoint:
    """`POST /oauth/introspect`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises InvalidRequest, InvalidClient, TooManyRequests, StorageError."""
        parts = self._parts
        now = parts.clock()
        client = await parts.authenticator.authenticate(form, now=now)
        parts.rates.token.take(client.client_id, form.peer, now=now)
        if client.is_public:
            raise InvalidClient("only a client that proves who it is may ask about tokens")
        token = form.parameters.require("token")
        about = self._access_token if is_jwt(token) else self._refresh_token
        return json_answer(await about(token, client, now) or INACTIVE)

    async def _access_token(self, token: str, client: Client, now: float) -> Mapping[str, Any] | None:
        parts = self._parts
        try:
            claims = await read_access_token(token, parts, now=now)
        except InvalidToken:
            return None
        if not _may_ask(client, claims):
            return None
        lives = await in_task(parts.store.read(lambda connection: is_live(connection, claims, now=now)))
        return active_answer(claims) if lives else None

    async def _refresh_token(self, token: str, client: Client, now: float) -> Mapping[str, Any] | None:
        store = self._parts.store
        presented = await in_task(
            store.read(lambda connection: refresh_tokens.find(connection, store, token))
        )
        if presented is None or presented.session.client_id != client.client_id:
            return None
        if not isinstance(decide(presented.state, now=now, grace=0), Rotate):
            return None
        session = presented.session
        claims = {
            "iss": self._parts.issuer,
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
    return client.is_verified and claims["aud"] in (client.allowed_resources or ())
